/**
 * What logins have taught: by it a user's own name logs in to the servers. Kept in this process's memory only, never logged
 * and never shown.
 */
import type { ServerSecret } from '../../pool/server-secret.ts'

export class ServerSecrets {
  readonly #secrets = new Map<string, ServerSecret>()

  /** The newest login counts: an older secret may have been changed on the servers. */
  remember(database: string, user: string, secret: ServerSecret): void {
    if (secret.password === null && secret.md5 === null && secret.scram === null) return
    this.#secrets.set(`${database}\0${user}`, secret)
  }

  of(database: string, user: string): ServerSecret | null {
    return this.#secrets.get(`${database}\0${user}`) ?? null
  }
}
