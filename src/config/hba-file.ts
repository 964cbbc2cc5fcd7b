/**
 * Rules of [auth] hba_file, in the form of pg_hba.conf: https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
 * What is not supported is refused by name: a rule that silently never matched would leave a door open or shut.
 */
import { readFileSync } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import { dirname, resolve } from 'node:path'
import { type HbaLine, hbaLines, type HbaToken } from './hba-tokens.ts'

const METHODS = ['trust', 'reject', 'scram-sha-256', 'md5', 'password', 'cert'] as const
/** Postgres's others. They may stand in lines that can never match here: local ones and those for replication. */
const FOREIGN_METHODS = ['peer', 'ident', 'gss', 'sspi', 'ldap', 'radius', 'pam', 'bsd', 'oauth']
const TYPES = ['local', 'host', 'hostssl', 'hostnossl'] as const
const MAX_FILE_DEPTH = 10

export type HbaMethod = (typeof METHODS)[number]

/** A name, or a keyword that stands for several. */
export interface HbaName {
  readonly kind: 'all' | 'sameuser' | 'replication' | 'name'
  readonly name: string
}

/** Plain JSON: it travels to the data processes. */
export interface HbaRule {
  readonly line: number
  readonly type: (typeof TYPES)[number]
  readonly databases: readonly HbaName[]
  readonly users: readonly HbaName[]
  /** Null: every address. */
  readonly network: { readonly address: string; readonly bits: number } | null
  readonly method: HbaMethod
}

export interface HbaFile {
  readonly rules: readonly HbaRule[]
  /** `line 3: …`; nothing of a file with problems is used. */
  readonly problems: readonly string[]
}

/** @throws what readFileSync throws, for the file itself; files that it names are problems of their line. */
export function readHbaFile(path: string): HbaFile {
  return parseHba(readFileSync(path, 'utf8'), dirname(path))
}

export function parseHba(text: string, folder: string): HbaFile {
  const rules: HbaRule[] = []
  const problems: string[] = []
  for (const line of hbaLines(text)) {
    try {
      const rule = ruleOf(line, folder)
      if (rule !== null) rules.push(rule)
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error
      problems.push(`line ${line.number}: ${error.message}`)
    }
  }
  return { rules, problems }
}

class LineProblem extends Error {}

/** Null for a line that can never match a client of this proxy. */
function ruleOf({ number, fields, problem }: HbaLine, folder: string): HbaRule | null {
  if (problem !== '') throw new LineProblem(problem)
  const [first, databaseField, userField, ...rest] = fields
  const type = oneOf(TYPES, single(first), 'connection type')
  if (databaseField === undefined) throw new LineProblem('the database is missing')
  if (userField === undefined) throw new LineProblem('the user is missing')
  const databases = namesOf(databaseField, folder, 'database', 0)
  const users = namesOf(userField, folder, 'user', 0)
  const { network, after } = type === 'local' ? { network: null, after: rest } : networkOf(rest)
  const [methodField, ...options] = after
  const word = single(methodField)
  const reachable = type !== 'local' && databases.some(database => database.kind !== 'replication')
  if (!reachable && FOREIGN_METHODS.includes(word)) return null
  const method = oneOf(METHODS, word, 'method')
  if (!reachable) return null
  const option = options[0]
  if (option !== undefined) throw new LineProblem(`found option "${textOf(option)}", options are not supported`)
  if (method === 'cert' && type !== 'hostssl') throw new LineProblem('method cert is for hostssl lines only')
  return { line: number, type, databases, users, network, method }
}

function textOf(field: readonly HbaToken[]): string {
  return field.map(token => token.text).join(',')
}

function single(field: readonly HbaToken[] | undefined): string {
  if (field === undefined) return ''
  if (field.length > 1) throw new LineProblem(`found the list "${textOf(field)}", allowed: one word`)
  return field[0]?.text ?? ''
}

function oneOf<Word extends string>(words: readonly Word[], found: string, what: string): Word {
  const word = words.find(one => one === found)
  if (word !== undefined) return word
  const said = found === '' ? `the ${what} is missing` : `${what} "${found}" is not supported`
  throw new LineProblem(`${said}, allowed: ${words.join(', ')}`)
}

function namesOf(field: readonly HbaToken[], folder: string, what: 'database' | 'user', depth: number): HbaName[] {
  return field.flatMap(({ text, quoted }): HbaName[] => {
    if (quoted) return [{ kind: 'name', name: text }]
    if (text === 'all') return [{ kind: 'all', name: '' }]
    if (text.startsWith('@') && text.length > 1) return fileNames(text.slice(1), folder, what, depth)
    if (text.startsWith('/')) throw new LineProblem(`found "${text}", regular expressions are not supported`)
    if (what === 'user') {
      if (text.startsWith('+')) throw new LineProblem(`found "${text}", groups are not supported: list their members`)
    } else if (text === 'sameuser' || text === 'replication') return [{ kind: text, name: '' }]
    else if (text === 'samerole' || text === 'samegroup') throw new LineProblem(`database "${text}" is not supported`)
    return [{ kind: 'name', name: text }]
  })
}

function fileNames(name: string, folder: string, what: 'database' | 'user', depth: number): HbaName[] {
  if (depth >= MAX_FILE_DEPTH)
    throw new LineProblem(`found "@${name}", files are nested more than ${MAX_FILE_DEPTH} deep`)
  const path = resolve(folder, name)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw new LineProblem(`"@${name}" cannot be read (${code === 'ENOENT' ? 'no such file' : code})`)
  }
  return hbaLines(text).flatMap(line => {
    if (line.problem !== '') throw new LineProblem(`"@${name}", line ${line.number}: ${line.problem}`)
    return line.fields.flatMap(field => namesOf(field, dirname(path), what, depth + 1))
  })
}

type Fields = HbaLine['fields']

function networkOf(fields: Fields): { network: HbaRule['network']; after: Fields } {
  const written = fields[0] === undefined ? '' : single(fields[0])
  if (written === '') throw new LineProblem('the address is missing')
  if (written === 'all' && fields[0]?.[0]?.quoted === false) return { network: null, after: fields.slice(1) }
  const slash = written.indexOf('/')
  const address = slash < 0 ? written : written.slice(0, slash)
  if (isIP(address) === 0) {
    throw new LineProblem(
      `address "${written}" is not supported, allowed: all, an IP address with /BITS or with a mask`,
    )
  }
  const widest = isIPv4(address) ? 32 : 128
  if (slash >= 0) {
    const bits = written.slice(slash + 1)
    if (!/^\d{1,3}$/.test(bits) || Number(bits) > widest) {
      throw new LineProblem(`address "${written}": the bits of the network are not between 0 and ${widest}`)
    }
    return { network: { address, bits: Number(bits) }, after: fields.slice(1) }
  }
  const mask = fields[1] === undefined ? '' : single(fields[1])
  if (isIP(mask) !== isIP(address)) throw new LineProblem(`address "${address}": neither /BITS nor a mask follows it`)
  return { network: { address, bits: maskBits(mask, widest) }, after: fields.slice(2) }
}

function maskBits(mask: string, widest: number): number {
  const bits = isIPv4(mask)
    ? mask
        .split('.')
        .map(part => Number(part).toString(2).padStart(8, '0'))
        .join('')
    : ipv6Bits(mask)
  const ones = bits.indexOf('0') < 0 ? widest : bits.indexOf('0')
  if (bits.includes('1', ones)) throw new LineProblem(`mask "${mask}" has holes`)
  return ones
}

function ipv6Bits(address: string): string {
  const [head = '', tail] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [left, right] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].map(group => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}
