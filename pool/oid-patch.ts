/**
 * User-defined types and tables have other OIDs on every shard. Clients see default_shard's everywhere: descriptions
 * that come from another shard are translated in place (soundness 10).
 */
import type { OidMap } from '../src/catalog/catalog.ts'

export class OidPatch {
  readonly #types: Map<number, number>
  readonly #relations: Map<number, number>
  readonly #toServer: Map<number, number>

  constructor(map: OidMap) {
    this.#types = new Map(map.types)
    this.#relations = new Map(map.relations)
    this.#toServer = new Map(map.types.map(([own, common]) => [common, own]))
  }

  /** default_shard's type OID → this shard's. */
  typeForServer(oid: number): number {
    return this.#toServer.get(oid) ?? oid
  }

  rowDescription(buffer: Buffer, start: number, end: number): void {
    const columns = buffer.readInt16BE(start + 5)
    let offset = start + 7
    for (let i = 0; i < columns && offset < end; i++) {
      offset = buffer.indexOf(0, offset) + 1
      if (offset === 0 || offset + 18 > end) return
      translate(buffer, offset, this.#relations)
      translate(buffer, offset + 6, this.#types)
      offset += 18
    }
  }

  parameterDescription(buffer: Buffer, start: number): void {
    const count = buffer.readUInt16BE(start + 5)
    for (let i = 0; i < count; i++) translate(buffer, start + 7 + 4 * i, this.#types)
  }
}

function translate(buffer: Buffer, offset: number, map: Map<number, number>): void {
  const to = map.get(buffer.readUInt32BE(offset))
  if (to !== undefined) buffer.writeUInt32BE(to, offset)
}
