/** The proxy from which this one takes over, as seen from here. */
import type net from 'node:net'
import { ShardwayError } from '../../errors/shardway-error.ts'
import { type HandoverMessage, listen, say } from './wire.ts'

const ANSWER_MS = 10_000

export class Predecessor {
  readonly pid: number
  /** Its process, or the connection to it, is gone. */
  readonly ended: Promise<void>
  readonly #socket: net.Socket
  #waiting: ((message: HandoverMessage | null) => void) | null = null

  private constructor(socket: net.Socket, pid: number) {
    this.#socket = socket
    this.pid = pid
    this.ended = new Promise(resolve => socket.once('close', () => resolve()))
    socket.once('close', () => this.#waiting?.(null))
  }

  /** Waits for its name. */
  static meet(socket: net.Socket): Promise<Predecessor> {
    return new Promise((resolve, reject) => {
      let met: Predecessor | null = null
      const timer = setTimeout(() => socket.destroy(), ANSWER_MS)
      socket.once('close', () => {
        clearTimeout(timer)
        if (met === null) reject(failed('it does not answer'))
      })
      listen(socket, message => {
        if (met !== null) return met.#waiting?.(message)
        if (message.type !== 'holder') return socket.destroy()
        clearTimeout(timer)
        met = new Predecessor(socket, message.pid)
        resolve(met)
      })
    })
  }

  /** It writes no state and trusts no replica from here on. @throws ShardwayError */
  async take(): Promise<void> {
    const answer = await this.#ask({ type: 'take', pid: process.pid })
    if (answer?.type === 'yielded') return
    throw failed(answer?.type === 'refused' ? answer.reason : `process ${this.pid} has ended or does not answer`)
  }

  /** This process listens: the other one does no more when it resolves, or is gone. */
  async serving(): Promise<void> {
    // For as long as it takes: its clients are there until the connection ends.
    await this.#ask({ type: 'serving' }, false)
  }

  /** A client may have begun there. */
  cancel(pid: number, secret: string): void {
    say(this.#socket, { type: 'cancel', pid, secret })
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Null when it is gone. One question at a time. */
  #ask(message: HandoverMessage, limited = true): Promise<HandoverMessage | null> {
    if (this.#socket.destroyed) return Promise.resolve(null)
    return new Promise(resolve => {
      const timer = limited ? setTimeout(() => this.#socket.destroy(), ANSWER_MS) : undefined
      this.#waiting = answer => {
        clearTimeout(timer)
        this.#waiting = null
        resolve(answer)
      }
      say(this.#socket, message)
    })
  }
}

function failed(reason: string): ShardwayError {
  return new ShardwayError('handover_failed', '55006', `cannot take over from the proxy that runs: ${reason}`, {
    hint: 'The other one goes on as before. See docs/internals/handover.md.',
  })
}
