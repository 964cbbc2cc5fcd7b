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
