/**
 * Places in a text ↔ places in its template, where each literal and each comment is one byte: a plan that serves a template
 * keeps the place of its refusal there. Not for the hot path.
 */
import type { Lexer } from './lexer.ts'

/** Start and end of what the template shortens, ascending. */
function ranges(lexer: Lexer): [number, number][] {
  const { literals } = lexer
  const found: [number, number][] = []
  for (let i = 0; i < literals.count; i++) found.push([literals.starts[i] as number, literals.ends[i] as number])
  for (let i = 0; i < lexer.gapCount; i++) found.push([lexer.gapStarts[i] as number, lexer.gapEnds[i] as number])
  return found.toSorted((a, b) => a[0] - b[0])
}

/** Byte offset in the text last lexed → offset in its template. */
export function templatePosition(lexer: Lexer, offset: number): number {
  let position = offset
  for (const [start, end] of ranges(lexer)) {
    if (end <= offset) position -= end - start - 1
    else if (start < offset) return position - (offset - start)
  }
  return position
}

/** Offset in the template → byte offset in the text last lexed. */
export function textPosition(lexer: Lexer, position: number): number {
  let offset = position
  for (const [start, end] of ranges(lexer)) {
    if (start >= offset) break
    offset += end - start - 1
  }
  return offset
}

/** Characters of UTF-8 bytes: all but those that continue one. */
export function characters(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if (((bytes[at] as number) & 0xc0) !== 0x80) count++
  return count
}
