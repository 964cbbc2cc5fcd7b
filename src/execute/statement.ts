import type { Settings } from '../../pool/server-state.ts'

/** A statement that a client prepared by the protocol's Parse. */
export interface Statement {
  /** Names the content; server connections record which ids they have. Grows, never reused. */
  readonly id: number
  /** The client's name for it; '' is the unnamed one, which is not shared. */
  readonly name: string
  /** Text, zero byte and parameter types: a Parse body after its name. */
  readonly rest: Buffer
  readonly textLength: number
  /** The session's settings when it was parsed. */
  settings: Settings
  /** They are not known: it can be used where it is, but not be prepared anywhere else. */
  unsure: boolean
  /** Declared parameter types; zeros are filled in when a server describes them. */
  types: readonly number[]
  /** RowDescription that the client was given for it (SharedStatements.shape); null when it has not asked, or there are no rows. */
  described: Buffer | null
  /** What it is shared by, '' when it is not. */
  readonly key: string
}

/** The statement's name on servers: one for all clients that prepared the same. */
export function serverNameOf(statement: Statement): string {
  return `shardway_${statement.id}`
}

/** For data of the entries in a server's queue. */
export function isStatement(data: unknown): data is Statement {
  return typeof data === 'object' && data !== null && 'textLength' in data
}
