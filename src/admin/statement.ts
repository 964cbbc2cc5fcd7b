/**
 * A console statement as words: bare words, 'quoted' or "quoted" ones, and options as name=value. Words that were quoted
 * are never names of commands or options.
 */
import { errorOf } from '../errors/codes.ts'

export interface Word {
  readonly text: string
  readonly quoted: boolean
  /** Where the word begins in the statement. */
  readonly start: number
}

export interface Statement {
  /** The statement without comments at its start, trailing semicolons and blanks. */
  readonly sql: string
  readonly words: readonly Word[]
}

const MAX_STATEMENT_CHARS = 1_000_000

/** @throws ShardwayError bad_command: an open quote, or a second statement behind a semicolon. */
export function parseStatement(text: string): Statement {
  if (text.length > MAX_STATEMENT_CHARS) throw errorOf('bad_command', { what: `a text of ${text.length} characters` })
  const words: Word[] = []
  let at = 0
  let end = 0
  while (at < text.length) {
    const char = text[at] ?? ''
    if (/\s/.test(char)) {
      at++
    } else if (char === '/' && text[at + 1] === '*') {
      const close = text.indexOf('*/', at + 2)
      if (close < 0) throw errorOf('bad_command', { what: 'a comment without an end' })
      at = close + 2
    } else if (char === '-' && text[at + 1] === '-') {
      const close = text.indexOf('\n', at)
      at = close < 0 ? text.length : close + 1
    } else if (char === ';') {
      const rest = text.slice(at).replace(/[;\s]+/g, '')
      if (rest !== '') throw errorOf('bad_command', { what: 'several statements at once' })
      break
    } else if (char === "'" || char === '"') {
      const quoted = readQuoted(text, at, char)
      words.push({ text: quoted.text, quoted: true, start: at })
      at = end = quoted.end
    } else {
      const start = at
      while (at < text.length && !/[\s;'"]/.test(text[at] ?? '')) at++
      // name="quoted value" is one option.
      const quote = text[at]
      if (text[at - 1] === '=' && (quote === "'" || quote === '"')) {
        const quoted = readQuoted(text, at, quote)
        words.push({ text: text.slice(start, at) + quoted.text, quoted: false, start })
        at = quoted.end
      } else {
        words.push({ text: text.slice(start, at), quoted: false, start })
      }
      end = at
    }
  }
  return { sql: text.slice(words[0]?.start ?? 0, end), words }
}

function readQuoted(text: string, start: number, quote: string): { text: string; end: number } {
  let value = ''
  let at = start + 1
  for (;;) {
    const close = text.indexOf(quote, at)
    if (close < 0) throw errorOf('bad_command', { what: 'a quote without an end' })
    value += text.slice(at, close)
    if (text[close + 1] !== quote) return { text: value, end: close + 1 }
    value += quote
    at = close + 2
  }
}

/** A word as it must stand in a statement to be read back as itself. */
export function quoteWord(word: string): string {
  return `'${word.replaceAll("'", "''")}'`
}

export interface Arguments {
  /** Everything behind the command's name that is not an option. */
  readonly values: readonly string[]
  /** `database=app` and the like, names in lower case. */
  readonly options: ReadonlyMap<string, string>
  /** The statement from the first value on, as it was written; '' when there is none. */
  readonly rest: string
  /** The first value was quoted. */
  readonly quoted: boolean
}

/** Splits what follows a command's name into values and the options it knows. */
export function parseArguments(statement: Statement, from: number, optionNames: readonly string[]): Arguments {
  const values: string[] = []
  const options = new Map<string, string>()
  let first: Word | undefined
  for (const word of statement.words.slice(from)) {
    const equals = word.quoted ? -1 : word.text.indexOf('=')
    const name = equals > 0 ? word.text.slice(0, equals).toLowerCase() : ''
    // Behind the first value everything is a value: EXPLAIN SELECT … WHERE database=1.
    if (equals > 0 && optionNames.includes(name) && first === undefined) {
      options.set(name, word.text.slice(equals + 1))
      continue
    }
    first ??= word
    values.push(word.text)
  }
  // Words begin at offsets of the original text, `sql` at the first word's.
  const offset = statement.words[0]?.start ?? 0
  const rest = first === undefined ? '' : statement.sql.slice(first.start - offset)
  return { values, options, rest, quoted: first?.quoted ?? false }
}
