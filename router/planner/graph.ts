import type { KeySource, KeyType } from '../plan.ts'

/**
 * Columns of a statement as nodes, and what follows from what. An edge a → b says: where a's value lies in a set, rows
 * with a value of b outside that set cannot change the answer. Edges are directed because outer joins, subqueries and
 * LIMIT let the conclusion pass one way only.
 */
export class Graph {
  readonly #families: (KeyType | null)[] = []
  readonly #maxChars: number[] = []
  readonly #edges: number[][] = []
  readonly #merges: { readonly from: readonly number[]; readonly to: number }[] = []
  readonly #pins = new Map<number, KeySource[]>()

  /** `maxChars`: the column is varchar(n) and its values are known to fit, else 0. */
  node(family: KeyType, maxChars = 0): number {
    this.#families.push(family)
    this.#maxChars.push(maxChars)
    return this.#edges.push([]) - 1
  }

  family(node: number): KeyType | null {
    return this.#families[node] ?? null
  }

  maxChars(node: number): number {
    return this.#maxChars[node] ?? 0
  }

  edge(from: number, to: number): void {
    this.#edges[from]?.push(to)
  }

  /** `to` follows only when all of `from` do: the branches of a set operation. */
  merge(from: readonly number[], to: number): void {
    this.#merges.push({ from, to })
  }

  pin(node: number, sources: readonly KeySource[]): void {
    const pinned = this.#pins.get(node)
    if (pinned === undefined) this.#pins.set(node, [...sources])
    else pinned.push(...sources)
  }

  /** For each node the sources that reach it, or undefined where none does. */
  solve(): ReadonlyMap<number, ReadonlySet<KeySource>> {
    const reached = new Map<number, Set<KeySource>>()
    const queue: number[] = []
    const add = (node: number, sources: Iterable<KeySource>): void => {
      let set = reached.get(node)
      const fresh = set === undefined
      if (set === undefined) reached.set(node, (set = new Set()))
      const before = set.size
      for (const source of sources) set.add(source)
      if (fresh || set.size > before) queue.push(node)
    }
    for (const [node, sources] of this.#pins) add(node, sources)
    for (;;) {
      const node = queue.pop()
      if (node !== undefined) {
        for (const to of this.#edges[node] ?? []) add(to, reached.get(node) ?? [])
        continue
      }
      for (const { from, to } of this.#merges) {
        const sets = from.map(branch => reached.get(branch))
        if (sets.every(set => set !== undefined)) for (const set of sets) add(to, set ?? [])
      }
      if (queue.length === 0) return reached
    }
  }
}
