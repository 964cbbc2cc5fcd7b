import type { Refusal } from '../plan.ts'

/**
 * `firm`: nothing helps. `shard`: a shard hint says where to run it, and the statement is then that shard's own.
 * `key`: the statement is not pinned; a shard or key hint pins it. `always`: refused with one shard too.
 */
export type ProblemKind = 'firm' | 'shard' | 'key' | 'always'

export interface Problem {
  readonly kind: ProblemKind
  readonly refusal: Refusal
}

const HINT_KEY =
  'Compare the shard key with a constant or parameter. With /* shardway: key=… */ before it the statement runs on that key’s shard ' +
  'and sees the rows there only.'
const HINT_SHARD = 'Put /* shardway: shard=NAME */ before the statement and run it once for each shard.'

function notSupported(kind: ProblemKind, what: string, hint: string, position: number): Problem {
  return {
    kind,
    refusal: { sqlstate: '0A000', message: `${what} is not supported across shards`, hint, position },
  }
}

export function firm(what: string, hint: string, position = -1): Problem {
  return notSupported('firm', what, hint, position)
}

/** COPY FROM: the proxy does not look into the rows. */
export function copyNeedsShard(what: string, reference: boolean, position: number): Problem {
  if (reference) {
    const hint = 'Every shard needs all rows: the same COPY once for each, with SET shardway.shard = NAME before it.'
    return notSupported('shard', what, hint, position)
  }
  const hint =
    'Give each shard its own rows: SET shardway.shard = NAME before the COPY. The rows are not checked, and what lies on the wrong ' +
    'shard is not found. INSERT finds the shard by itself.'
  return notSupported('shard', what, hint, position)
}

export function needsShard(what: string, position = -1): Problem {
  return notSupported('shard', what, HINT_SHARD, position)
}

export function notPinned(table: string, column: string, position = -1): Problem {
  return {
    kind: 'key',
    refusal: {
      sqlstate: '0A000',
      message: `table "${table}" is not pinned to one shard by its key "${column}"`,
      hint: HINT_KEY,
      position,
    },
  }
}

export function routineUnpinned(name: string, why: string): Problem {
  const what = `function "${name}", which ${why}, in a statement without a shard key`
  return notSupported('key', what, `${HINT_KEY} Or declare the function with local = true.`, -1)
}

export function noKey(table: string, column: string, position = -1): Problem {
  return {
    kind: 'firm',
    refusal: {
      sqlstate: '22023',
      message: `no value for shard key "${column}" of table "${table}"`,
      hint: `Give column "${column}" a value in the INSERT.`,
      position,
    },
  }
}

/** A hint or shardway.* setting that means nothing: refused whatever the number of shards. */
export function badSetting(message: string, hint: string): Problem {
  return { kind: 'always', refusal: { sqlstate: '22023', message, hint, position: -1 } }
}

/** A shard hint on a statement that uses tables which only default_shard has. */
export function misplaced(shard: string, defaultShard: string): Problem {
  const message = `the statement uses tables that are not declared, which are not on shard "${shard}"`
  return badSetting(message, `Such tables are on default_shard "${defaultShard}": leave the shard hint out.`)
}

export function notAlone(what: string): Problem {
  return {
    kind: 'always',
    refusal: {
      sqlstate: '0A000',
      message: `${what} among several statements is not supported`,
      hint: 'Send it as a statement of its own: it is answered by the proxy and never forwarded.',
      position: -1,
    },
  }
}
