import { createHash } from 'node:crypto'

/**
 * The answer to AuthenticationMD5Password, without the closing NUL: `md5` and the hexadecimal digest of (digest of password
 * and user) and the server's four salt bytes. A password that is itself such a stored digest is taken as one.
 */
export function md5Password(user: string, password: string, salt: Buffer): string {
  const stored = /^md5[0-9a-f]{32}$/.test(password) ? password.slice(3) : md5(Buffer.from(password + user))
  return `md5${md5(Buffer.concat([Buffer.from(stored), salt]))}`
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
