/** Reads the form of pgbouncer.ini: sections, `name = value`, whole-line comments, %include. */

export interface IniEntry {
  readonly section: string
  readonly name: string
  readonly value: string
  /** `file:line`. */
  readonly at: string
}

export class ImportError extends Error {}

/** PgBouncer's own bound against files that include each other. */
const MAX_DEPTH = 10

/** `read` gives a file's text; `%include` names are as they stand there. @throws ImportError */
export function readIni(path: string, read: (path: string, from: string) => string, depth = 0): IniEntry[] {
  if (depth > MAX_DEPTH) throw new ImportError(`${path}: files include each other too deeply`)
  const entries: IniEntry[] = []
  const state = { section: '' }
  collect(path, read(path, ''), read, depth, state, entries)
  return entries
}

function collect(
  path: string,
  text: string,
  read: (path: string, from: string) => string,
  depth: number,
  state: { section: string },
  entries: IniEntry[],
): void {
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const at = `${path}:${index + 1}`
    const line = raw.trim()
    if (line === '' || line.startsWith(';') || line.startsWith('#')) continue
    const include = /^%include\s+(.+)$/.exec(line)
    if (include?.[1] !== undefined) {
      if (depth >= MAX_DEPTH) throw new ImportError(`${at}: files include each other too deeply`)
      const name = include[1].trim()
      // The section goes on in the included file and behind it.
      collect(name, read(name, path), read, depth + 1, state, entries)
      continue
    }
    const section = /^\[([^\]]*)\]$/.exec(line)
    if (section?.[1] !== undefined) {
      state.section = section[1].trim().toLowerCase()
      continue
    }
    entries.push({ section: state.section, ...nameAndValue(line, at), at })
  }
}

/** The name may stand in double quotes, a quote in it doubled: [databases] "odd name" = … */
function nameAndValue(line: string, at: string): { name: string; value: string } {
  const quoted = /^"((?:[^"]|"")*)"\s*=\s*(.*)$/.exec(line)
  if (quoted?.[1] !== undefined) return { name: quoted[1].replaceAll('""', '"'), value: quoted[2] ?? '' }
  const plain = /^([^\s=]+)\s*=\s*(.*)$/.exec(line)
  if (plain?.[1] === undefined) throw new ImportError(`${at}: neither a section nor "name = value"`)
  return { name: plain[1], value: plain[2] ?? '' }
}

/** `host=… port=… password='it''s'`, as [databases] and [users] have it. @throws ImportError */
export function readPairs(text: string, at: string): Map<string, string> {
  const pairs = new Map<string, string>()
  let rest = text.trim()
  while (rest !== '') {
    const match = /^([A-Za-z_]+)\s*=\s*(?:'((?:[^']|'')*)'|([^\s']\S*|))\s*/.exec(rest)
    if (match?.[1] === undefined) throw new ImportError(`${at}: not a list of name=value`)
    pairs.set(match[1].toLowerCase(), match[2] === undefined ? (match[3] ?? '') : match[2].replaceAll("''", "'"))
    rest = rest.slice(match[0].length)
  }
  return pairs
}

/**
 * `"user" "password"` in each line of the auth_file; a quote in either is doubled. A line of another form is told to
 * `unread`, by its place alone: it may hold a password.
 */
export function readUserlist(
  text: string,
  path: string,
  unread: (at: string) => void,
): Array<{ name: string; secret: string; at: string }> {
  const users: Array<{ name: string; secret: string; at: string }> = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith(';')) continue
    const at = `${path}:${index + 1}`
    const match = /^"((?:[^"]|"")*)"\s+"((?:[^"]|"")*)"/.exec(line)
    if (match?.[1] === undefined) {
      unread(at)
      continue
    }
    users.push({ name: match[1].replaceAll('""', '"'), secret: (match[2] ?? '').replaceAll('""', '"'), at })
  }
  return users
}
