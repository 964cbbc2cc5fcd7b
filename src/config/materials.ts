/**
 * What the files hold that shardway.toml only names: certificates and rules. Read and tried by the control process before a
 * configuration is used, and handed to the data processes by content: all of them serve the same, a process that is started
 * later too, and a file that is half written at a reload changes nothing.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import tls from 'node:tls'
import { type HbaRule, readHbaFile } from './hba-file.ts'
import type { Config } from './schema.ts'

export interface ListenTls {
  /** PEM texts. */
  readonly cert: string
  readonly key: string
  readonly ca: string | undefined
}

/** Plain JSON. */
export interface Materials {
  /** Null: no TLS towards clients. */
  readonly listenTls: ListenTls | null
  /** PEM text of [server.tls] ca. */
  readonly serverCa: string | undefined
  /** Null unless [auth] method = "hba". */
  readonly hba: readonly HbaRule[] | null
}

export const NO_MATERIALS: Materials = { listenTls: null, serverCa: undefined, hba: null }

/** @param problems gets a line for each file that cannot be used. */
export function readMaterials(config: Config, problems: string[]): Materials {
  const before = problems.length
  const listenTls = readListenTls(config.listen.tls, problems)
  const serverCa = readAuthorities('server.tls.ca', config.server.tls.ca, problems)
  const hba = config.auth.method === 'hba' ? readRules(config, problems) : null
  return problems.length > before ? NO_MATERIALS : { listenTls, serverCa, hba }
}

function readText(path: string, file: string | undefined, problems: string[]): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    problems.push(`${path}: "${file}" cannot be read (${code === 'ENOENT' ? 'no such file' : code})`)
    return undefined
  }
}

function readAuthorities(path: string, file: string | undefined, problems: string[]): string | undefined {
  const text = readText(path, file, problems)
  if (text === undefined) return undefined
  try {
    // OpenSSL passes over text without a certificate: nobody would be trusted, for no visible reason.
    new X509Certificate(text)
    tls.createSecureContext({ ca: text })
    return text
  } catch (error) {
    problems.push(`${path}: "${file ?? ''}" holds no certificates in PEM form (${reasonOf(error)})`)
    return undefined
  }
}

function readListenTls(files: Config['listen']['tls'], problems: string[]): ListenTls | null {
  if (files.mode === 'disable' || files.cert === undefined || files.key === undefined) return null
  const cert = readText('listen.tls.cert', files.cert, problems)
  const key = readText('listen.tls.key', files.key, problems)
  const ca = readAuthorities('listen.tls.ca', files.ca, problems)
  if (cert === undefined || key === undefined) return null
  try {
    // An empty key, of a file that is being written, OpenSSL would pass over without a word.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('the key is another one')
    tls.createSecureContext({ cert, key })
  } catch (error) {
    problems.push(`listen.tls: "${files.cert}" and "${files.key}" are no certificate and its key (${reasonOf(error)})`)
    return null
  }
  return { cert, key, ca }
}

function readRules(config: Config, problems: string[]): readonly HbaRule[] {
  const file = config.auth.hba_file
  if (file === undefined) return []
  try {
    const { rules, problems: found } = readHbaFile(file)
    for (const problem of found) problems.push(`auth.hba_file: "${file}", ${problem}`)
    const cert = rules.find(rule => rule.method === 'cert')
    if (cert !== undefined && config.listen.tls.ca === undefined) {
      problems.push(`auth.hba_file: "${file}", line ${cert.line}: method cert needs listen.tls.ca`)
    }
    if (rules.length === 0 && found.length === 0)
      problems.push(`auth.hba_file: "${file}" has no rule: nobody could enter`)
    return rules
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    problems.push(`auth.hba_file: "${file}" cannot be read (${code === 'ENOENT' ? 'no such file' : code})`)
    return []
  }
}

/** OpenSSL's own words name no content of the file. */
function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error))
}
