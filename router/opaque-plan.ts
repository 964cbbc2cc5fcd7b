/**
 * The plan of a text that is not read, because it is longer than is kept in one piece: it may do anything, on the one shard
 * that there is.
 */
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
