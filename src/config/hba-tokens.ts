/**
 * Fields of a line in the form of pg_hba.conf, read as Postgres reads them: blanks part fields, commas part the members of
 * one, quotes take a word's meaning away, a backslash at the end continues the line.
 */

export interface HbaToken {
  readonly text: string
  /** In quotes "all" is a name, not a keyword. */
  readonly quoted: boolean
}

export interface HbaLine {
  readonly number: number
  readonly fields: ReadonlyArray<readonly HbaToken[]>
  /** Why the line cannot be read; empty when it can. */
  readonly problem: string
}

/** Lines that say something, with the number of the first physical line of each. */
export function hbaLines(text: string): HbaLine[] {
  const lines: HbaLine[] = []
  const physical = text.split(/\r?\n/)
  for (let i = 0; i < physical.length; i++) {
    const number = i + 1
    let line = physical[i] ?? ''
    while (line.endsWith('\\') && i + 1 < physical.length) line = line.slice(0, -1) + (physical[++i] ?? '')
    const { fields, problem } = fieldsOf(line)
    if (fields.length > 0 || problem !== '') lines.push({ number, fields, problem })
  }
  return lines
}

function fieldsOf(line: string): { fields: HbaToken[][]; problem: string } {
  const fields: HbaToken[][] = []
  let at = 0
  let joined = false
  for (;;) {
    // As in Postgres, commas before a word are passed over like blanks.
    while (at < line.length && (isBlank(line[at]) || line[at] === ',')) at++
    if (at >= line.length || line[at] === '#') return { fields, problem: '' }
    let text = ''
    let quoted = false
    let inQuotes = false
    for (; at < line.length; at++) {
      const char = line[at] ?? ''
      if (char === '"') {
        if (inQuotes && line[at + 1] === '"') {
          text += '"'
          at++
          continue
        }
        inQuotes = !inQuotes
        quoted = true
      } else if (!inQuotes && (isBlank(char) || char === ',' || char === '#')) break
      else text += char
    }
    if (inQuotes) return { fields, problem: 'a quote is not closed' }
    const token = { text, quoted }
    const last = fields.at(-1)
    if (joined && last !== undefined) last.push(token)
    else fields.push([token])
    joined = line[at] === ','
  }
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t'
}
