/**
 * Plans of texts that are not read, because they are longer than is kept in one piece, or because only the server can: they
 * may do anything, on the one shard that there is.
 */
import type { ShardwayError } from '../src/errors/shardway-error.ts'
import type { Plan } from './plan.ts'

/** The relation that stands for all. */
const EVERYTHING = 0

export const opaquePlan: Plan = {
  statements: 1,
  command: null,
  // A lost connection ends the client, which may believe in a block.
  commands: [{ kind: 'begin', readOnly: null, isolation: null }],
  target: { kind: 'default' },
  refusal: null,
  access: 'write',
  replicaSafe: false,
  touches: [{ relation: EVERYTHING, write: true, keyed: false }],
  pin: 'large statement',
  movable: false,
  touchesPins: true,
  changesCatalog: true,
  mixed: true,
  hints: new Map(),
  parameters: 0,
  preparable: false,
  parse: null,
  tier: 'single',
}

/** `error`: what the proxy has against the text; the server's grammar may be another, and its word counts. */
export function unreadPlan(error: ShardwayError): Plan {
  return { ...opaquePlan, pin: 'unread statement', unread: error }
}
