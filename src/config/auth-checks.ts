/** What must hold between [auth], [listen.tls], [[users]] and the way to the servers. */
import { list, type Raw, table, text, texts } from './raw-view.ts'

export const SCRAM_VERIFIER = /^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$/
const MD5_HASH = /^md5[0-9a-f]{32}$/

/** Methods in which a user of [[users]] is asked for a password. */
const PASSWORD_METHODS = ['scram-sha-256', 'md5', 'plain']
/** Methods in which a login gives what the servers' login needs: a SCRAM client key or the password itself. */
const TELLING_METHODS = ['scram-sha-256', 'md5', 'plain', 'hba']

export function authProblems(file: Raw): string[] {
  const problems: string[] = []
  const auth = table(file, 'auth')
  const method = text(auth, 'method') ?? 'scram-sha-256'
  if (method === 'hba' && text(auth, 'hba_file') === undefined) {
    problems.push('auth.hba_file: missing, allowed: a file name, since method = "hba"')
  }
  const tlsMode = text(table(table(file, 'listen'), 'tls'), 'mode')
  if (method === 'cert' && tlsMode !== 'verify-ca' && tlsMode !== 'verify-full') {
    problems.push('listen.tls.mode: method = "cert" needs a verified certificate, allowed: verify-ca, verify-full')
  }
  const query = text(auth, 'query') ?? ''
  if (query !== '' && query !== 'default' && !/\$1(?!\d)/.test(query)) {
    problems.push('auth.query: the query does not contain $1, allowed: a query with the user name as $1, or "default"')
  }
  for (const user of list(file, 'users')) userProblems(file, user, method, problems)
  return problems
}

function userProblems(file: Raw, user: Raw, method: string, problems: string[]): void {
  const given = texts(user, 'password')
  const elsewhere = text(user, 'password_env') !== undefined || text(user, 'password_file') !== undefined
  if (given !== undefined && (given.length === 0 || given.includes(''))) {
    problems.push(`${user.path}.password: found an empty secret, allowed: a password or a "SCRAM-SHA-256$…" verifier`)
  }
  for (const [index, secret] of (given ?? []).entries()) {
    const path = `${user.path}.${Array.isArray(user.value['password']) ? `password[${index}]` : 'password'}`
    if (secret.startsWith('SCRAM-SHA-256$') && !SCRAM_VERIFIER.test(secret)) {
      problems.push(`${path}: found a broken verifier, allowed: SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER`)
    }
    if (method === 'scram-sha-256' && MD5_HASH.test(secret)) {
      problems.push(
        `${path}: found an md5 hash, which method = "scram-sha-256" cannot use, allowed: a password or a verifier`,
      )
    }
  }
  if (PASSWORD_METHODS.includes(method) && given === undefined && !elsewhere) {
    problems.push(`${user.path}.password: missing, allowed: a password, password_env or password_file`)
  }
  if (TELLING_METHODS.includes(method)) return
  // Nothing that a server would take is learnt from the client: it must stand in the file.
  if (elsewhere || (given ?? []).some(secret => secret !== '' && !secret.startsWith('SCRAM-SHA-256$'))) return
  const entered = texts(user, 'databases')
  for (const database of list(file, 'databases')) {
    const name = text(database, 'name')
    if (text(database, 'server_user') !== undefined || name === undefined) continue
    if (entered !== undefined && !entered.includes(name)) continue
    problems.push(
      `${database.path}.server_user: missing, so user "${text(user, 'name') ?? ''}" needs a plain password to log in ` +
        `to the servers with, since method = "${method}" tells the proxy none`,
    )
  }
}
