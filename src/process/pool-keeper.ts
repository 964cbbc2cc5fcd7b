/**
 * What the control process keeps about pools and clients for all workers: shares, permits, admission, quotas, and what
 * PAUSE and DISABLE have set. State around the pure decisions. docs/internals/pools.md
 */
import { connectionLimits, poolSettings, statementLimits } from '../config/pool-settings.ts'
import type { Config } from '../config/schema.ts'
import { nowUs } from '../observe/clock.ts'
import { Admission } from './admission.ts'
import { DatabaseStates } from './database-states.ts'
import type { ToControl, ToWorker } from './messages.ts'
import { type Claim, type PermitMessage, Permits } from './permits.ts'
import { SharesKeeper } from './pool-shares.ts'
import { Quotas } from './quotas.ts'

/** How often those who hold what others wait for are asked again. */
const PRESS_MS = 333

export type PoolRequest = Extract<
  ToControl,
  {
    type:
      | 'want-share'
      | 'returned-share'
      | 'want-permit'
      | 'permit-back'
      | 'enter'
      | 'want-statements'
      | 'statements-done'
  }
>

export interface PoolKeeperOptions {
  readonly workers: number
  readonly config: Config
  readonly sendIndex: (index: number, message: ToWorker) => void
  readonly sendSerial: (serial: number, message: ToWorker) => void
  readonly broadcast: (message: ToWorker) => void
  readonly draining: () => boolean
}

interface WorkerName {
  readonly index: number
  readonly serial: number
}

export class PoolKeeper {
  readonly #options: PoolKeeperOptions
  readonly #shares: SharesKeeper
  readonly #permits: Permits
  readonly #admission: Admission
  readonly #quotas: Quotas
  readonly states = new DatabaseStates()
  readonly #timer: NodeJS.Timeout
  #config: Config

  constructor(options: PoolKeeperOptions) {
    this.#options = options
    this.#config = options.config
    this.#shares = new SharesKeeper(options.workers, options.config, options.sendIndex)
    this.#permits = new Permits((database, user) => {
      const { databaseServers, userServers } = connectionLimits(this.#config, database, user)
      return { databaseServers, userServers, reserve: poolSettings(this.#config, database, user).reserveSize }
    })
    this.#admission = new Admission((database, user) => connectionLimits(this.#config, database, user))
    this.#quotas = new Quotas((kind, name) => statementLimits(this.#config, kind, name))
    this.#timer = setInterval(() => {
      if (this.#permits.waiting > 0) this.#say(this.#permits.pressAll())
    }, PRESS_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Clients that have entered a database. */
  get clients(): number {
    return this.#admission.clients
  }

  reconfigure(config: Config): void {
    this.#config = config
    this.#shares.reconfigure(config)
    this.tellPaused()
  }

  receive(worker: WorkerName, message: PoolRequest): void {
    switch (message.type) {
      case 'want-share':
        return this.#shares.want(message.pool, worker.index)
      case 'returned-share':
        return this.#shares.returned(message.pool, worker.index, message.size)
      case 'want-permit':
        return this.#say(this.#permits.want(this.#claim(worker, message)))
      case 'permit-back':
        return this.#say(this.#permits.back(this.#claim(worker, message)))
      case 'enter':
        return this.#enter(worker, message)
      case 'want-statements': {
        const { request, claim } = message
        const asked = { worker: worker.serial, user: claim.user, database: claim.database }
        const refusal = this.#quotas.ask(asked, claim.statements, claim.slot, nowUs() / 1000)
        return this.#options.sendSerial(worker.serial, { type: 'statements', request, refusal })
      }
      case 'statements-done':
        return this.#quotas.done({ worker: worker.serial, user: message.user, database: message.database })
    }
  }

  #claim({ serial }: WorkerName, message: Extract<PoolRequest, { type: 'want-permit' | 'permit-back' }>): Claim {
    return { ...message.place, worker: serial, reserve: message.reserve }
  }

  #enter({ serial }: WorkerName, { id, database, user }: Extract<PoolRequest, { type: 'enter' }>): void {
    const refusal = this.#options.draining()
      ? 'shutting_down'
      : this.states.isDisabled(database)
        ? 'disabled'
        : this.#admission.enter(id, { worker: serial, database, user })
    this.#options.sendSerial(serial, { type: 'entered', id, refusal })
  }

  clientClosed(id: number): void {
    this.#admission.leave(id)
  }

  /** Before the new worker gets clients. */
  workerReady({ index, serial }: WorkerName): void {
    this.#shares.replaced(index)
    this.#options.sendSerial(serial, this.#paused())
  }

  workerGone({ serial }: WorkerName): void {
    this.#admission.workerGone(serial)
    this.#quotas.workerGone(serial)
    this.#say(this.#permits.workerGone(serial))
  }

  /** After `states` has changed. */
  tellPaused(): void {
    this.#options.broadcast(this.#paused())
  }

  #paused(): ToWorker {
    const names = this.#config.databases.map(database => database.name)
    return { type: 'paused', databases: names.filter(name => this.states.isPaused(name)) }
  }

  #say(messages: readonly PermitMessage[]): void {
    for (const { worker, ...message } of messages) this.#options.sendSerial(worker, message)
  }
}
