/** What a server login can be answered with. Each kind serves the requests that it can, and no others. */
import type { ScramKeys } from '../src/protocol/scram-verifier.ts'

export interface ServerSecret {
  readonly password: string | null
  /** "md5" and 32 hexadecimal digits, as in pg_authid. */
  readonly md5: string | null
  /** Of a verifier that the server holds too. */
  readonly scram: ScramKeys | null
}

export const NO_SECRET: ServerSecret = { password: null, md5: null, scram: null }

export function passwordSecret(password: string | null): ServerSecret {
  return { ...NO_SECRET, password }
}
