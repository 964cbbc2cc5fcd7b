/** Bytes, slightly or grossly wrong. */
import type { Random } from '../support/random.ts'

const SPECIAL = [0, 1, 0x7f, 0x80, 0xff] as const

/** Changes bytes in place, takes some out, puts some in, cuts the end off: up to `most` of it. */
export function mutate(random: Random, bytes: Buffer, most = 4): Buffer {
  let out: Buffer = Buffer.from(bytes)
  for (let left = 1 + random.below(most); left > 0 && out.length > 0; left--) out = once(random, out)
  return out
}

function once(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length)
  switch (random.below(8)) {
    case 0:
    case 1:
      bytes[at] = random.below(256)
      return bytes
    case 2:
      bytes[at] = random.pick(SPECIAL)
      return bytes
    case 3:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      return bytes
    case 4: {
      const end = Math.min(bytes.length, at + 1 + random.below(8))
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
    }
    case 5:
      return Buffer.concat([bytes.subarray(0, at), noise(random, 1 + random.below(8)), bytes.subarray(at)])
    case 6: {
      // A length that lies: four bytes as a small or a huge number.
      if (bytes.length < at + 4) return bytes
      bytes.writeUInt32BE(random.chance(0.5) ? random.below(64) : Math.floor(random.next() * 0x100000000), at)
      return bytes
    }
    default:
      return random.chance(0.2) ? bytes.subarray(0, at) : bytes
  }
}

export function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}
