/**
 * Gives a copied data folder an identity of its own. All clusters are copies of one initialised template, and two
 * servers with one system identifier would take each other for primary and standby.
 *
 * The identifier stands in pg_control (first eight bytes, the structure closed by its CRC-32C) and in the first page
 * header of each WAL segment (XLogLongPageHeaderData.xlp_sysid, outside any CRC).
 */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const WAL_IDENTIFIER_OFFSET_BYTES = 24

export function newSystemIdentifier(): bigint {
  // As initdb: seconds in the upper half, something unlikely to repeat in the lower.
  return (BigInt(Math.floor(Date.now() / 1000)) << 32n) | BigInt(randomBytes(4).readUInt32LE())
}

/** The server must not have run since its clean end. */
export function setSystemIdentifier(dataFolder: string, identifier: bigint): void {
  const controlPath = join(dataFolder, 'global', 'pg_control')
  const control = readFileSync(controlPath)
  const crcOffset = findCrc(control)
  control.writeBigUInt64LE(identifier, 0)
  control.writeUInt32LE(crc32c(control, crcOffset), crcOffset)
  writeFileSync(controlPath, control)
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(identifier)
  const walFolder = join(dataFolder, 'pg_wal')
  for (const name of readdirSync(walFolder)) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue
    const file = openSync(join(walFolder, name), 'r+')
    try {
      writeSync(file, bytes, 0, 8, WAL_IDENTIFIER_OFFSET_BYTES)
    } finally {
      closeSync(file)
    }
  }
}

/** The structure's length differs by version: it ends where the CRC of all before it stands. */
function findCrc(control: Buffer): number {
  let crc = 0xffffffff
  for (let offset = 0; offset < 508; offset++) {
    if (offset >= 128 && offset % 4 === 0 && control.readUInt32LE(offset) === (crc ^ 0xffffffff) >>> 0) return offset
    crc = crcStep(crc, control[offset] ?? 0)
  }
  throw new Error('pg_control has no valid checksum')
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0x82f63b78
  return value >>> 0
})

function crcStep(crc: number, byte: number): number {
  return ((crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0)) >>> 0
}

function crc32c(bytes: Buffer, length: number): number {
  let crc = 0xffffffff
  for (let i = 0; i < length; i++) crc = crcStep(crc, bytes[i] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}
