/** The nodes of one shard, and who of them is primary. */
import type { ClusterNode } from './node.ts'
import { follow, promote, rebuild, waitForReplay } from './replication.ts'

export class ClusterShard {
  readonly name: string
  readonly nodes: readonly ClusterNode[]
  #primary: ClusterNode

  constructor(name: string, nodes: readonly ClusterNode[], primary: ClusterNode) {
    this.name = name
    this.nodes = nodes
    this.#primary = primary
  }

  /** As the kit knows it; `findPrimary` asks the servers. */
  get primary(): ClusterNode {
    return this.#primary
  }

  get replicas(): readonly ClusterNode[] {
    return this.nodes.filter(node => node !== this.#primary)
  }

  /** The first replica; for clusters that have one. */
  get replica(): ClusterNode {
    const [first] = this.replicas
    if (first === undefined) throw new Error(`shard ${this.name} has no replica`)
    return first
  }

  /** Asks all running nodes who is primary, and keeps the answer. */
  async findPrimary(): Promise<ClusterNode> {
    for (const node of this.nodes) {
      if (!node.server.running || node.server.frozen || !(await node.server.isPrimary())) continue
      this.#primary = node
      return node
    }
    throw new Error(`shard ${this.name} has no primary`)
  }

  /** Makes the node primary and lets the other running replicas follow it. The old primary is left as it is. */
  async promote(node: ClusterNode): Promise<void> {
    const old = this.#primary
    await promote(node)
    this.#primary = node
    const others = this.replicas.filter(other => other !== old && other.server.running)
    await Promise.all(others.map(other => follow(other, node)))
  }

  /** A new copy of the primary, streaming from it. */
  rebuild(node: ClusterNode): Promise<void> {
    return rebuild(node, this.#primary)
  }

  /** All running replicas have replayed what the primary has written by now. */
  async caughtUp(timeoutMs?: number): Promise<void> {
    const running = this.replicas.filter(node => node.server.running && !node.server.frozen)
    await Promise.all(running.map(node => waitForReplay(this.#primary, node, timeoutMs)))
  }
}
