/** A TCP proxy in front of one server that delays, stalls, drops or refuses, at will or when it sees a given text. */
import { createServer, connect, type Server, type Socket } from 'node:net'
import { type Direction, type FaultAction, FaultLane, type LaneHost } from './fault-lane.ts'

export interface TriggerOptions {
  /** Whose bytes are looked at. Default: the client's (its statements). */
  readonly direction?: Direction
  /** How often it fires; default once. */
  readonly times?: number
}

export interface Trigger {
  /** How often it has fired. */
  readonly hits: () => number
  /** Resolves when it fires for the first time. */
  readonly fired: Promise<void>
  remove(): void
}

export type Mutator = (direction: Direction, bytes: Buffer) => Buffer

interface ArmedTrigger {
  readonly pattern: RegExp
  readonly action: FaultAction
  readonly direction: Direction
  left: number
  hits: number
  readonly fire: () => void
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  readonly lanes: readonly FaultLane[]
}

export class FaultProxy implements LaneHost {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #targetPort: number
  readonly #pairs = new Set<Pair>()
  #server: Server | undefined
  #delaysMs: Record<Direction, number> = { 'to-server': 0, 'to-client': 0 }
  #stalled: Record<Direction, boolean> = { 'to-server': false, 'to-client': false }
  #triggers: ArmedTrigger[] = []
  #mutator: Mutator | null = null
  #accepted = 0

  private constructor(port: number, targetPort: number) {
    this.port = port
    this.#targetPort = targetPort
  }

  static async start(port: number, targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(port, targetPort)
    await proxy.#listen()
    return proxy
  }

  /** Open connections. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Connections accepted since the start. */
  get accepted(): number {
    return this.#accepted
  }

  /** Lifts every fault, also what triggers hold back; listens again after `refuse` and `cut`. */
  async heal(): Promise<void> {
    this.#delaysMs = { 'to-server': 0, 'to-client': 0 }
    this.#stalled = { 'to-server': false, 'to-client': false }
    this.#triggers = []
    this.#mutator = null
    for (const pair of this.#pairs) for (const lane of pair.lanes) lane.release()
    await this.#listen()
  }

  /** Every chunk arrives so much later. */
  delay(delayMs: number, direction?: Direction): void {
    for (const each of directions(direction)) this.#delaysMs[each] = delayMs
  }

  /** As if packets were lost on the way: connections open and stay open, and no byte arrives. */
  stall(direction?: Direction): void {
    for (const each of directions(direction)) this.#stalled[each] = true
  }

  /** Resets all open connections; new ones are served. */
  drop(): void {
    for (const pair of this.#pairs) reset(pair)
  }

  /** New connections are refused; open ones live on. */
  async refuse(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    // close() would wait for the open connections; the port is free at once.
    server.close()
    await new Promise<void>(resolve => setImmediate(resolve))
  }

  /** Resets all connections and refuses new ones, until `heal`. */
  async cut(): Promise<void> {
    await this.refuse()
    this.drop()
  }

  /** Arms a fault that waits for a text, as in `when(/COMMIT PREPARED/, 'drop')`. */
  when(pattern: RegExp, action: FaultAction, options: TriggerOptions = {}): Trigger {
    let resolve: (() => void) | undefined
    const fired = new Promise<void>(done => {
      resolve = done
    })
    const trigger: ArmedTrigger = {
      pattern,
      action,
      direction: options.direction ?? 'to-server',
      left: options.times ?? 1,
      hits: 0,
      fire: () => resolve?.(),
    }
    this.#triggers.push(trigger)
    return {
      hits: () => trigger.hits,
      fired,
      remove: () => {
        this.#triggers = this.#triggers.filter(other => other !== trigger)
      },
    }
  }

  /** Bytes arrive as `mutator` gives them, until `heal`. */
  mutateWith(mutator: Mutator): void {
    this.#mutator = mutator
  }

  mutate(direction: Direction, bytes: Buffer): Buffer {
    return this.#mutator === null ? bytes : this.#mutator(direction, bytes)
  }

  async close(): Promise<void> {
    await this.cut()
  }

  delayMs(direction: Direction): number {
    return this.#delaysMs[direction]
  }

  stalled(direction: Direction): boolean {
    return this.#stalled[direction]
  }

  match(direction: Direction, text: string): FaultAction | undefined {
    for (const trigger of this.#triggers) {
      if (trigger.direction !== direction || trigger.left <= 0 || !trigger.pattern.test(text)) continue
      trigger.left -= 1
      trigger.hits += 1
      trigger.fire()
      return trigger.action
    }
    return undefined
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.#accept(client))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, this.host, resolve)
    })
    // The launcher may end while servers run; the proxies go with it.
    server.unref()
    this.#server = server
  }

  #accept(client: Socket): void {
    this.#accepted += 1
    const server = connect({ port: this.#targetPort, host: this.host, noDelay: true, allowHalfOpen: true })
    const drop = (): void => reset(pair)
    const pair: Pair = {
      client,
      server,
      lanes: [
        new FaultLane(this, 'to-server', client, server, drop),
        new FaultLane(this, 'to-client', server, client, drop),
      ],
    }
    this.#pairs.add(pair)
    for (const socket of [client, server]) {
      socket.on('error', drop)
      socket.on('close', () => {
        if (!client.destroyed || !server.destroyed) {
          // One side is gone for good: what the other still sends has no reader.
          if (socket.errored !== null || (client.readableEnded && server.readableEnded)) reset(pair)
          return
        }
        for (const lane of pair.lanes) lane.close()
        this.#pairs.delete(pair)
      })
    }
  }
}

function directions(direction: Direction | undefined): readonly Direction[] {
  return direction === undefined ? ['to-server', 'to-client'] : [direction]
}

function reset(pair: Pair): void {
  for (const lane of pair.lanes) lane.close()
  for (const socket of [pair.client, pair.server]) if (!socket.destroyed) socket.resetAndDestroy()
}
