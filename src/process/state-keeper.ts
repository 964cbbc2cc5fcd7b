/** What is on disk and what is in force: nothing is published or mirrored before the store has it. */
import { randomUUID } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Log } from '../observe/log.ts'
import { assemble, stateOf } from '../topology/assemble.ts'
import { FileStore } from '../topology/file-store.ts'
import type { StateStore, StoredState } from '../topology/store.ts'
import type { View } from '../topology/view.ts'

export function openStore(config: Config): StateStore {
  if (config.state.store === 'file') return new FileStore(config.state.path)
  throw new ShardwayError('config_invalid', 'F0000', `state.store = "${config.state.store}" is not in this release`, {
    hint: 'Use state.store = "file".',
  })
}

export class StateKeeper {
  readonly id: string
  readonly #store: StateStore
  readonly #log: Log
  #stored: StoredState | null
  /** The last view that the store holds. */
  #view: View
  #run: Promise<void> | null = null
  #wanted: View | null = null
  /** Another process writes the store. */
  #paused: boolean
  #unwritten: boolean
  readonly #published: (view: View) => void

  private constructor(
    store: StateStore,
    stored: StoredState | null,
    view: View,
    log: Log,
    published: (view: View) => void,
    paused: boolean,
  ) {
    this.#store = store
    this.#stored = stored
    this.#view = view
    this.#log = log
    this.#published = published
    this.#paused = paused
    this.#unwritten = paused
    this.id = stored?.id ?? randomUUID()
  }

  /** Reads the store, lays the config over it, and writes back what that gives, unless another process is the one that writes. */
  static async open(config: Config, log: Log, published: (view: View) => void, paused = false): Promise<StateKeeper> {
    const store = openStore(config)
    const stored = await store.read()
    const { view, notes } = assemble(config, stored)
    for (const note of notes) log.warn({ event: 'state-differs' }, note)
    const keeper = new StateKeeper(store, stored, view, log, published, paused)
    if (!paused) await keeper.#write(view)
    return keeper
  }

  get view(): View {
    return this.#view
  }

  get stored(): StoredState | null {
    return this.#stored
  }

  /** Stores what must be stored, then publishes. Of several views that pile up only the last one counts. */
  use(view: View): void {
    this.#wanted = view
    this.#run ??= this.#work().finally(() => {
      this.#run = null
    })
  }

  /** When nothing waits to be written any more. */
  async settled(): Promise<void> {
    await this.#run
  }

  async #work(): Promise<void> {
    while (this.#wanted !== null) {
      const view = this.#wanted
      this.#wanted = null
      try {
        const changed = view.topology.epoch !== this.#view.topology.epoch || view.facts !== this.#view.facts
        if (this.#paused) this.#unwritten ||= changed
        else if (changed || this.#unwritten) await this.#write(view)
        this.#view = view
        this.#published(view)
      } catch (error) {
        // The old topology stays in force: an unwritten term or map could be forgotten by a restart.
        this.#log.error(
          { event: 'state-not-written', error },
          `${this.#store.name} cannot be written; nothing changes until it can`,
        )
        this.#wanted ??= view
        await new Promise(resolve => setTimeout(resolve, 1000))
      }
    }
  }

  async #write(view: View): Promise<void> {
    const state = stateOf(this.id, view, this.#stored)
    if (JSON.stringify(state) !== JSON.stringify(this.#stored)) await this.#store.write(state)
    this.#stored = state
    this.#unwritten = false
  }

  /** Resolves when nothing is being written any more. Views are published all the same: the other process stores them. */
  async pause(): Promise<void> {
    this.#paused = true
    await this.settled()
  }

  resume(): void {
    this.#paused = false
    if (this.#unwritten) this.use(this.#wanted ?? this.#view)
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}
