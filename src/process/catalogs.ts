/** Keeps the catalogs: loaded at the start, renewed when a worker saw DDL pass, and by a poll for what went past it. */
import type { Catalog } from '../catalog/catalog.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Log } from '../observe/log.ts'

export const CATALOG_POLL_MS = 5000
const RETRY_MS = 500

/** How catalogs are read. */
export interface CatalogSource {
  /** Cheap; changes whenever the catalog may have. */
  fingerprint(database: string): Promise<string>
  load(database: string, version: number): Promise<Catalog>
}

export interface CatalogKeeperOptions {
  readonly log: Log
  readonly source: CatalogSource
  /** One is new or another; resolves when every worker has it. */
  readonly publish: (catalogs: readonly Catalog[]) => Promise<void>
  readonly pollMs?: number
}

interface Entry {
  catalog: Catalog | null
  fingerprint: string
  version: number
  timer: NodeJS.Timeout | null
  /** The run under way, and the one that begins after it: who asks now must not be served by a reading begun before. */
  running: Promise<void> | null
  next: Promise<void> | null
  reason: string
}

export class CatalogKeeper {
  readonly #options: CatalogKeeperOptions
  readonly #entries = new Map<string, Entry>()
  #stopped = false

  constructor(options: CatalogKeeperOptions) {
    this.#options = options
  }

  /** Watches exactly these. */
  watch(databases: readonly string[]): void {
    for (const [name, entry] of this.#entries) {
      if (databases.includes(name)) continue
      if (entry.timer !== null) clearTimeout(entry.timer)
      this.#entries.delete(name)
    }
    for (const name of databases) {
      if (this.#entries.has(name)) continue
      const entry: Entry = {
        catalog: null,
        fingerprint: '',
        version: 0,
        timer: null,
        running: null,
        next: null,
        reason: '',
      }
      this.#entries.set(name, entry)
      this.#schedule(name, entry, 0)
    }
  }

  all(): Catalog[] {
    return [...this.#entries.values()].flatMap(entry => entry.catalog ?? [])
  }

  has(database: string): boolean {
    return (this.#entries.get(database)?.catalog ?? null) !== null
  }

  /** A primary turned up, or the config changed: read again soon, whatever the fingerprint says. */
  stir(): void {
    for (const [name, entry] of this.#entries) {
      entry.fingerprint = ''
      if (entry.running === null) this.#schedule(name, entry, 0)
    }
  }

  /** Reads anew and resolves when every worker has what was found; also when it could not be read. */
  renew(database: string): Promise<void> {
    const entry = this.#entries.get(database)
    if (entry === undefined || this.#stopped) return Promise.resolve()
    if (entry.running === null) return this.#start(database, entry, true)
    entry.next ??= entry.running.then(() => {
      entry.next = null
      return this.#start(database, entry, true)
    })
    return entry.next
  }

  stop(): void {
    this.#stopped = true
    for (const entry of this.#entries.values()) if (entry.timer !== null) clearTimeout(entry.timer)
  }

  #schedule(name: string, entry: Entry, delayMs: number): void {
    if (this.#stopped) return
    if (entry.timer !== null) clearTimeout(entry.timer)
    entry.timer = setTimeout(() => {
      if (entry.running === null) void this.#start(name, entry, false)
    }, delayMs)
  }

  #start(name: string, entry: Entry, force: boolean): Promise<void> {
    const running = this.#read(name, entry, force).finally(() => {
      entry.running = null
      const pollMs = this.#options.pollMs ?? CATALOG_POLL_MS
      if (this.#entries.get(name) === entry) this.#schedule(name, entry, entry.catalog === null ? RETRY_MS : pollMs)
    })
    entry.running = running
    return running
  }

  async #read(name: string, entry: Entry, force: boolean): Promise<void> {
    const { source, log, publish } = this.#options
    try {
      // Before the reading: what changes while we read is seen by the next poll.
      const fingerprint = await source.fingerprint(name)
      if (!force && entry.catalog !== null && fingerprint === entry.fingerprint) return
      const catalog = await source.load(name, entry.version + 1)
      entry.fingerprint = fingerprint
      entry.reason = ''
      if (this.#stopped || this.#entries.get(name) !== entry) return
      if (entry.catalog !== null && sameCatalog(entry.catalog, catalog)) return
      entry.version++
      entry.catalog = catalog
      log.info({ event: 'catalog-loaded', database: name, version: entry.version }, `catalog of ${name} read`)
      await publish(this.all())
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      // Nobody looked for the primary yet: it is read when there is one.
      if (entry.catalog === null && error instanceof ShardwayError && error.code === 'no_primary') return
      if (reason === entry.reason || this.#stopped) return
      entry.reason = reason
      log.warn({ event: 'catalog-failed', database: name, error }, `the catalog of ${name} cannot be read: ${reason}`)
    }
  }
}

function sameCatalog(a: Catalog, b: Catalog): boolean {
  return JSON.stringify({ ...a, version: 0 }) === JSON.stringify({ ...b, version: 0 })
}
