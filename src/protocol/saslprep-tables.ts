/**
 * Tables of RFC 3454 that SASLprep uses (without ASCII, which is never prepared), generated from Unicode 3.2 data as the RFC
 * demands. Each entry is the hexadecimal distance from the end of the range before, then `+` and how many more code
 * points the range has.
 */

/** A.1: unassigned in Unicode 3.2. */
export const UNASSIGNED = ranges(`
  221 13+1b 5f+1 40+10 51+f 11+3 3+3 2+2 2+4 8 2 15 2d 28+8 88 48 27+1 3+5 11+20 27+1 8 28 3+5 12 18 b+a 1c+4 6+16
  2+d 2+2 2 1b+4 17+9 8f+1 10 f 1f+2 1c+34 33+14e 4 36+1 13+1 6+2 1a+f 4 9+1 3+1 17 8 2+2 5+1 2 8+1 3+1 4+8 2+3 3
  6+1 16+6 2+1 7+3 3+1 17 8 3 3 3+1 2 6+3 3+1 4+a 5 2+6 10+b 4 8 2 4 17 8 3 6+1 b 4 4+1 2+e 2+4 b+10 4 9+1 3+1 17
  8 3+1 5+1 9+2 3+1 4+7 3+3 3 4+3 c+10 3 7+2 4 5+2 3 2 3+2 3+2 4+2 9 4+3 6+2 4 5+8 2+e d+d 4 9 4 18 b 6+3 8 4 5+6
  3+8 3+3 b+11 3 9 4 18 b 6+3 8 4 5+6 3+6 2 3+3 b+11 3 9 4 18 11+3 7+1 4 5+8 2+7 3+3 b+11 3 13+2 19 a 2+1 8+2 2+3
  7 2 9+11 4+b 3b+3 1e+24 3 2+1 3 2+1 2+5 5 8 4 2 2+1 3 e 4+1 6 2 7+1 b+1 3+21 49 23+5 1c+3 9 25 10+1 2+2f 23 6 3
  8+2 5+5 1b+45 27+9 2a+1 2+3 5b+4 45+4 53+5 8 40 2 5+1 8 2 5+1 28 2 5+1 20 2 5+1 8 2 5+1 8 8 18 20 2 5+1 8 28
  14+5 1d+22 56+b 277+8 1e+2 52+e e 8+a 18+8 15+b e 4 3+b 5e+2 b+15 10 b+5 59+7 2b+555 9d+3 5b+5 17+1 7+1 27+1 7+1
  9 2 2 2 20+1 36 10 f+1 7 14+1 4 a 54+3 2+6 6+5 9+1 1c+10 13+1d 1c+14 3c+1 10+6 32+b 240+30 28+18 c+14 a0 115+1 3
  66+1 b+76 5 5+1 1d 24 2 5+2 2 8+1 35+2 19 f+10 1d+3 311+37f 1b 5a+b d7+19 d+3 41 57+1 68+4 29+3 5f 29+37 2e+2
  25+c 2c+2 4e+3 30 78+3 64+1 20 19b7+49 51a7+59 48e+2 38+738 2ba5+5b 222f+1 3c+94 8+b 6+4 1b 6 2 3 3 6d+20 16e+f
  41+1 37+7 2e+2 11+f 5+b 18+1 b 14 5+3 6 88+1 2 bf+2 7+1 7+1 7+1 4+2 8 8+9 8+2ff 20 5+b 1c+b4 27+1 27+cbb1 f7+9
  28+2 b5+221 56 48 3+1 2+1 3+1 5 d 2 5 3 42 5+1 9 8 1d 5 6 2+2 8 153+3 123+3 33+27fd a6da+5128 21f+5df 3+fffd
  3+fffd 3+fffd 3+fffd 3+fffd 3+fffd 3+fffd 3+fffd 3+fffd 3+fffd 3+fffd 3 2+1d 61+ff7d`)

/** C.1.2 and C.2.1 to C.9: prohibited output. */
export const PROHIBITED = ranges(`
  80+20 2a0+1 39c 32 f71 18e 7f2+f 19+7 30+4 7+5 f81+b 5 b000+18ff 4d1+1f 110 fa+6 d174+7 2e84+1 ffff+1 ffff+1
  ffff+1 ffff+1 ffff+1 ffff+1 ffff+1 ffff+1 ffff+1 ffff+1 ffff+1 ffff+1 2 1f+5f ff7f+20001`)

/** C.1.2: spaces, mapped to U+0020. */
export const SPACES = ranges(`
  a0 15e0 980+b 24 30 fa1`)

/** B.1: mapped to nothing. */
export const NOTHING = ranges(`
  ad 2a2 14b7 5+2 7fe+2 53 dda0+f f0`)

/** D.1: right-to-left characters. */
export const RAND_AL_CAT = ranges(`
  5be 2 3 d+1a 6+4 27 4 2+19 6+a 23+2 2+64 8 8+1 14+4 2+d 3 2+1a 54+25 c 185e db0e 2+9 2+c 2+4 2 2+1 2+1 2+6b
  22+16a 13+3f 3+35 29+c 74+4 2+86`)

/** D.2: left-to-right characters. */
export const L_CAT = ranges(`
  aa b 5 6+16 2+1e 2+128 2+11 1d+5d 3+8 3+6 f+1 f+4 a 8c c 2+2 2 2+13 2+2b 2+25 b+82 8+44 2+25 3+1 7+f 22+25 3+6
  2+26 2 37a 2+34 4+3 9+3 4 8+9 3+c 12+1 2+7 3+1 3+15 2+6 2 4+3 5+2 7+1 3+1 b 5+1 2+2 5+b 3+6 b+5 5+1 3+15 2+6 2+1
  2+1 2+1 5+2 19+3 2 8+9 3+2 f 2+6 2 2+2 2+15 2+6 2+1 2+4 4+3 9 2+1 4 10 6+9 13+1 2+7 3+1 3+15 2+6 2+1 3+3 4+1 2
  7+1 3+1 b 5+1 2+2 5+a 13 2+5 4+2 2+3 4+1 2 2+1 4+1 4+2 4+7 2+2 5+1 2+1 4+2 2+2 b 10+b f+2 2+7 2+2 2+16 2+9 2+4
  8+3 1c+1 5+9 13+1 2+7 2+2 2+16 2+9 2+4 5 2+4 3+1 2+1 a+1 8 2+1 5+9 13+1 2+7 2+2 2+16 2+f 5+2 6+2 2+2 b 9+1 5+9
  13+1 2+11 4+17 2+8 2 3+6 9+2 7+7 13+2 d+2f 2+1 d+6 9+c 26+1 2 3+1 2 3 7+3 2+6 2+2 2 2 3+1 2+3 2+1 a 3+4 2 a+9
  3+1 23+17 3+1a 2 2 6+9 2+21 15 6 3+3 33+7 2+5 3 31+21 2+4 2+1 2 5 7 8+17 49+25 b+28 3 5+59 6+43 6+51 7+6 2+3e 2
  2+3 3+6 2 2+3 3+26 2 2+3 3+1e 2 2+3 3+6 2 2+3 3+6 2+6 2+16 2+1e 2 2+3 3+6 2+26 2+12 7+1b 24+54 d+275 b+19 6+50
  10+c 2+3 f+11 4+1 a+11 f+c 2+2 10+36 8+7 2+1 c+6 2 4+9 27+9 7+57 9+28 558+9b 5+59 7+15 3+5 3+25 3+5 3+7 2 2 2
  2+1e 3+34 2+6 2 4+2 2+6 4+3 3+5 5+c 6+2 2+6 12 63 e 83 5 3+9 2 4+4 7 2 2 2+3 2+2 2+6 4+2 6+4 17+23 1b3+44 1b
  107+4d b1c+2 1a+8 8+4 3+4 5+55 7+2 2+59 2+3 6+27 5+5d 2+27 39+2c 4+23 1d+1b 4+31 10+b 5+2e 2+76 5+62 3+1e 2+19b5
  4b+51a5 5b+48c 774+2ba3 85d+1a2d 3+3a 96+6 d+4 40a+19 7+19 c+58 4+5 3+5 3+5 3+2 324+1e 2+3 d+1a b6+25 3+25
  cbb3+f5 b+26 4+3c 4+8 11+1 8+1d 5+2f 223+54 2+46 2+1 3 3+1 3+3 2+b 2 2+3 2+1 2+40 2+3 3+7 2+6 2+1b 2+3 2+4 2 4+6
  2+151 5+121 2837+a6d6 512a+21d c05e3+fffd 3+fffd`)

/** Pairs of first and last code point, ascending. */
export type Ranges = Uint32Array

function ranges(text: string): Ranges {
  const entries = text.trim().split(/\s+/)
  const table = new Uint32Array(entries.length * 2)
  let end = 0
  entries.forEach((entry, index) => {
    const plus = entry.indexOf('+')
    const start = end + Number.parseInt(plus < 0 ? entry : entry.slice(0, plus), 16)
    end = plus < 0 ? start : start + Number.parseInt(entry.slice(plus + 1), 16)
    table[index * 2] = start
    table[index * 2 + 1] = end
  })
  return table
}

export function inRanges(table: Ranges, code: number): boolean {
  let low = 0
  let high = table.length / 2 - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    if (code < (table[middle * 2] ?? 0)) high = middle - 1
    else if (code > (table[middle * 2 + 1] ?? 0)) low = middle + 1
    else return true
  }
  return false
}
