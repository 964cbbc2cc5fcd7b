/**
 * Keeps the mirrors in the shards and says which databases may be served (soundness 6). One connection per shard's primary,
 * whose session holds the heartbeat lock. What a beat could not find out leaves the last verdict as it is.
 */
import type { Client } from 'pg'
import { connectControl, dropConnection } from '../../pool/control-connection.ts'
import type { Config, DatabaseConfig } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Log } from '../observe/log.ts'
import { Mirror, type MirrorEntry } from '../topology/mirror.ts'
import { judgeMirror, type Verdict } from '../topology/mirror-decision.ts'
import { type DatabaseTopology, primaryOf, type Shard } from '../topology/topology.ts'
import { nodeKey, shardKey, type View } from '../topology/view.ts'

const BEAT_MS = 1000
const TIMEOUT_MS = 3000

/** Another process may be the one that writes them: `look` until it has left, `leave` when it takes over. */
export type Mode = 'keep' | 'look' | 'leave'

export interface MirrorKeeperOptions {
  readonly log: Log
  readonly config: () => Config
  readonly view: () => View
  readonly stateId: () => string
  /** A database's verdict is another one. */
  readonly changed: () => void
}

interface Held {
  readonly address: string
  readonly client: Client
  readonly mirror: Mirror
}

/** What one beat found on one shard. */
type Look =
  | { readonly kind: 'entry'; readonly entry: MirrorEntry | null; readonly mirror: Mirror }
  /** No primary, or it does not answer. */
  | { readonly kind: 'absent' }
  /** The server answered with an error: a privilege is missing, the disk is full. */
  | { readonly kind: 'refused'; readonly reason: string }

export class MirrorKeeper {
  readonly #options: MirrorKeeperOptions
  readonly #held = new Map<string, Held>()
  readonly #verdicts = new Map<string, Verdict>()
  #timer: NodeJS.Timeout | null = null
  #stopped = false
  #mode: Mode
  #beating: Promise<void> = Promise.resolve()

  constructor(options: MirrorKeeperOptions, mode: Mode = 'keep') {
    this.#options = options
    this.#mode = mode
  }

  verdict(database: string): Verdict | undefined {
    return this.#verdicts.get(database)
  }

  /** Looks now, and from then on every second. */
  beat(): void {
    if (this.#stopped) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#beating = this.#beating
      .then(() => this.#all())
      .finally(() => {
        if (!this.#stopped && this.#timer === null) this.#timer = setTimeout(() => this.beat(), BEAT_MS)
      })
  }

  /** The newest map of each database that the shards know. Throws while another proxy that serves them is alive. */
  async newest(): Promise<Map<string, MirrorEntry>> {
    await this.#beating
    const found = new Map<string, MirrorEntry>()
    for (const database of this.#options.view().topology.databases) {
      for (const look of await this.#look(database)) {
        if (look.kind !== 'entry' || look.entry === null) continue
        const { entry } = look
        const foreign = entry.stateId !== this.#options.stateId()
        if (foreign) await look.mirror.release()
        if (foreign && entry.ownerAlive) {
          throw new ShardwayError(
            'owned_by_another',
            '55006',
            `another proxy serves shard ${entry.shard} of database ${database.name}`,
            {
              hint: 'Stop it first.',
            },
          )
        }
        if (entry.epoch > (found.get(database.name)?.epoch ?? 0)) found.set(database.name, entry)
      }
    }
    return found
  }

  /** Makes every shard's mirror ours, whoever it belonged to. */
  async takeOver(): Promise<void> {
    const { topology } = this.#options.view()
    for (const database of topology.databases) {
      for (const look of await this.#look(database)) {
        if (look.kind === 'entry') await look.mirror.write(this.#options.stateId(), topology.epoch, database, true)
      }
    }
    this.beat()
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const { client } of this.#held.values()) dropConnection(client)
    this.#held.clear()
  }

  /** The verdicts stay when another process takes over; resolves when nothing is being written any more. */
  async leave(): Promise<void> {
    this.#mode = 'leave'
    await this.#beating
  }

  keep(): void {
    this.#mode = 'keep'
    this.beat()
  }

  async #all(): Promise<void> {
    if (this.#mode === 'leave') return
    const { topology } = this.#options.view()
    const verdicts = await Promise.all(
      topology.databases.map(async database => [database.name, await this.#judge(database)] as const),
    )
    if (this.#stopped) return
    let changed = false
    for (const [name, verdict] of verdicts) {
      const before = this.#verdicts.get(name)
      if (verdict === null || JSON.stringify(verdict) === JSON.stringify(before)) continue
      changed = true
      this.#verdicts.set(name, verdict)
      if (!verdict.serve)
        this.#options.log.error({ event: 'not-serving', database: name, code: verdict.code }, verdict.reason)
    }
    if (changed) this.#options.changed()
  }

  /** null: nothing new is known. */
  async #judge(database: DatabaseTopology): Promise<Verdict | null> {
    const id = this.#options.stateId()
    const looks = await this.#look(database)
    const { topology } = this.#options.view()
    const entries = looks.flatMap(look => (look.kind === 'entry' && look.entry !== null ? [look.entry] : []))
    const verdict = judgeMirror(database.name, id, topology.epoch, entries)
    if (!verdict.serve) {
      // Holding the lock of a mirror that is not ours would make its owner look alive.
      for (const look of looks) if (look.kind === 'entry') await look.mirror.release().catch(() => undefined)
      return verdict
    }
    if (this.#mode === 'look') return verdict
    const single = database.shards.length === 1
    for (const look of looks) {
      if (look.kind === 'absent') continue
      const problem = look.kind === 'refused' ? look.reason : await this.#write(look, database, id, topology.epoch)
      if (problem === null) continue
      // A single existing database must be servable by a control user that may create nothing.
      if (single && problem !== TAKEN) continue
      return {
        serve: false,
        code: 'state_is_foreign',
        reason: `database ${database.name}: its shards cannot be marked as ours: ${problem}`,
      }
    }
    if (this.#verdicts.has(database.name)) return verdict
    return this.#complete(database, looks) ? verdict : null
  }

  /** First admission: every shard was looked into, or all of its nodes are known to be out of reach; and not all of them. */
  #complete(database: DatabaseTopology, looks: readonly Look[]): boolean {
    const { observed } = this.#options.view()
    if (looks.every(look => look.kind === 'absent')) return false
    return database.shards.every((shard, i) => {
      if (looks[i]?.kind !== 'absent') return true
      return shard.nodes.every(
        node => observed.get(nodeKey(database.name, shard.name, node.address))?.reachable === false,
      )
    })
  }

  /** What stood in the way, or null. */
  async #write(
    look: Look & { kind: 'entry' },
    database: DatabaseTopology,
    id: string,
    epoch: number,
  ): Promise<string | null> {
    if (look.entry !== null && look.entry.stateId === id && look.entry.epoch >= epoch) return null
    try {
      return (await look.mirror.write(id, epoch, database)) ? null : TAKEN
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  async #look(database: DatabaseTopology): Promise<Look[]> {
    const login = this.#options.config().databases.find(one => one.name === database.name)
    if (login === undefined) return database.shards.map(() => ({ kind: 'absent' }))
    return Promise.all(database.shards.map(shard => this.#lookAt(database.name, shard, login)))
  }

  async #lookAt(database: string, shard: Shard, login: DatabaseConfig): Promise<Look> {
    const key = shardKey(database, shard.name)
    const primary = primaryOf(shard)
    let held = this.#held.get(key)
    if (held !== undefined && held.address !== primary?.address) {
      this.#drop(key, held)
      held = undefined
    }
    if (primary === undefined) return { kind: 'absent' }
    try {
      held ??= await this.#connect(key, database, shard, primary.address, login)
    } catch {
      return { kind: 'absent' }
    }
    try {
      return { kind: 'entry', entry: await held.mirror.inspect(), mirror: held.mirror }
    } catch (error) {
      const sqlstate = error instanceof Error && 'code' in error ? String(error.code) : ''
      // Class 42: the statement itself was refused. Anything else is about the connection.
      if (sqlstate.startsWith('42'))
        return { kind: 'refused', reason: error instanceof Error ? error.message : sqlstate }
      this.#drop(key, held)
      return { kind: 'absent' }
    }
  }

  async #connect(key: string, database: string, shard: Shard, address: string, login: DatabaseConfig): Promise<Held> {
    const node = shard.nodes.find(one => one.address === address)
    const client = await connectControl(
      {
        host: node?.host ?? '',
        port: node?.port ?? 0,
        dbname: shard.dbname,
        user: login.control_user,
        password: login.control_password,
      },
      {
        tls: this.#options.config().server.tls,
        connectTimeoutMs: TIMEOUT_MS,
        queryTimeoutMs: TIMEOUT_MS,
        applicationName: 'shardway mirror',
      },
    )
    const held: Held = { address, client, mirror: new Mirror(client, database, shard.name) }
    if (this.#stopped) {
      dropConnection(client)
      throw new Error('stopped')
    }
    const lost = (): void => this.#drop(key, held)
    client.on('error', lost)
    client.on('end', lost)
    this.#held.set(key, held)
    return held
  }

  #drop(key: string, held: Held): void {
    if (this.#held.get(key) === held) this.#held.delete(key)
    dropConnection(held.client)
  }
}

const TAKEN = 'another proxy marked them first'
