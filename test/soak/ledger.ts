/**
 * What the clients know of every write they tried: the truth that the shards are compared with at the end.
 *
 * A write is acknowledged when its COMMIT (or the autocommit statement) was answered, failed when it certainly did not
 * happen (an error inside the transaction, a rollback, a connection lost before COMMIT was sent), unknown when the answer
 * to the commit was lost or is 08007. An unknown write may be there once or not at all, but whole.
 */
export type Outcome = 'acknowledged' | 'failed' | 'unknown'

export interface Write {
  readonly op: number
  readonly key: number
  readonly outcome: Outcome
}

export interface FoundEntry {
  readonly op: number
  readonly key: number
  readonly shard: string
}

export interface FoundAccount {
  readonly key: number
  readonly value: number
  readonly shard: string
}

export class Ledger {
  readonly #writes = new Map<number, Write>()
  readonly #acknowledged: Write[] = []

  record(write: Write): void {
    this.#writes.set(write.op, write)
    if (write.outcome === 'acknowledged') this.#acknowledged.push(write)
  }

  get acknowledged(): readonly Write[] {
    return this.#acknowledged
  }

  get(op: number): Write | undefined {
    return this.#writes.get(op)
  }

  all(): IterableIterator<Write> {
    return this.#writes.values()
  }

  count(outcome: Outcome): number {
    let count = 0
    for (const write of this.#writes.values()) if (write.outcome === outcome) count += 1
    return count
  }
}

/** Every way in which what was found contradicts what the clients were told; empty when all is well. */
export function contradictions(
  ledger: Ledger,
  entries: readonly FoundEntry[],
  accounts: readonly FoundAccount[],
): { readonly name: string; readonly problems: readonly string[] }[] {
  const found = new Map<number, FoundEntry[]>()
  for (const entry of entries) {
    const same = found.get(entry.op)
    if (same === undefined) found.set(entry.op, [entry])
    else same.push(entry)
  }
  const missing: string[] = []
  const risen: string[] = []
  for (const write of ledger.all()) {
    const rows = found.get(write.op) ?? []
    const text = `op ${write.op} (key ${write.key}): ${rows.length} rows`
    if (write.outcome === 'acknowledged' && (rows.length !== 1 || rows[0]?.key !== write.key)) missing.push(text)
    if (write.outcome === 'failed' && rows.length > 0) risen.push(text)
    if (write.outcome === 'unknown' && rows.length > 1) missing.push(text)
  }
  const foreign = entries
    .filter(entry => ledger.get(entry.op) === undefined)
    .map(entry => `op ${entry.op} was never tried`)
  // Every transaction that inserts an entry also counts it in its account: a torn transaction shows as a difference.
  const counted = new Map<number, number>()
  for (const entry of entries) counted.set(entry.key, (counted.get(entry.key) ?? 0) + 1)
  const torn = accounts
    .filter(account => account.value !== (counted.get(account.key) ?? 0))
    .map(account => `account ${account.key}: value ${account.value}, entries ${counted.get(account.key) ?? 0}`)
  return [
    { name: 'every acknowledged write is there exactly once', problems: missing },
    { name: 'no failed write is there', problems: risen },
    { name: 'nothing is there that nobody wrote', problems: foreign },
    { name: 'every transaction is whole', problems: torn },
  ]
}
