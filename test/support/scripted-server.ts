/** A server that says what a script says, whatever it hears: what no honest Postgres would. */
import net from 'node:net'
import { frame } from '../../src/protocol/backend-messages.ts'

export type Script = (socket: net.Socket, heard: (needle: string) => Promise<void>) => void | Promise<void>

/** Authentication message of a kind: 0 Ok, 10 SASL, 11 SASLContinue, 12 SASLFinal. */
export function authentication(kind: number, rest: string | Buffer = ''): Buffer {
  const number = Buffer.alloc(4)
  number.writeInt32BE(kind)
  return frame(0x52, Buffer.concat([number, Buffer.from(rest)]))
}

export class ScriptedServer {
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  #said = ''

  private constructor(script: Script) {
    this.#server = net.createServer(socket => {
      this.#sockets.add(socket)
      let look = (): void => undefined
      socket.on('error', () => undefined)
      socket.on('data', chunk => {
        this.#said += chunk.toString('latin1')
        look()
      })
      const heard = (needle: string): Promise<void> =>
        new Promise(resolve => {
          look = () => {
            if (this.#said.includes(needle)) resolve()
          }
          look()
        })
      void script(socket, heard)
    })
  }

  static async start(script: Script): Promise<ScriptedServer> {
    const scripted = new ScriptedServer(script)
    await new Promise<void>(resolve => scripted.#server.listen(0, '127.0.0.1', resolve))
    return scripted
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** Everything that clients have said, as latin1. */
  get said(): string {
    return this.#said
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

/** The server's side of SCRAM up to its first message, which is of one's choice. */
export function scramFirst(first: (nonce: string) => string, then: readonly Buffer[] = []): Script {
  return async (socket, heard) => {
    let nonce = ''
    socket.on('data', chunk => {
      nonce = /r=([^,]+)/.exec(chunk.toString('latin1'))?.[1] ?? nonce
    })
    await heard('database')
    socket.write(authentication(10, 'SCRAM-SHA-256\0\0'))
    await heard('SCRAM-SHA-256\0')
    socket.write(authentication(11, first(nonce)))
    if (then.length === 0) return
    await heard('c=biws')
    for (const message of then) socket.write(message)
  }
}
