/** Zero-terminated strings in a client's messages. */
import { violation } from './startup-packet.ts'

/** Where the string ends that begins at `from`. Throws 08P01 when it does not. */
export function zeroAt(buffer: Buffer, from: number, end: number): number {
  // Names are short, mostly empty: a call into indexOf would cost more than the loop.
  for (let at = from; at < end; at++) if (buffer[at] === 0) return at
  throw violation('invalid string in message')
}

export function nameOf(buffer: Buffer, start: number, end: number): string {
  return start === end ? '' : buffer.toString('utf8', start, end)
}

const LETTER_S = 0x53
const LETTER_P = 0x50

/** What a Describe or Close names: true a statement, false a portal. Throws 08P01 for anything else. */
export function isOfStatement(buffer: Buffer, start: number, message: string): boolean {
  const letter = buffer[start + 5] ?? 0
  if (letter !== LETTER_S && letter !== LETTER_P) throw violation(`invalid ${message} message subtype ${letter}`)
  return letter === LETTER_S
}
