import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Below the range from which the kernel gives ports to outgoing connections (32768 on Linux, 49152 elsewhere): the port
// of a server that is down for a while must still be free when it comes back.
const FIRST = 10_240
const LAST = 32_000

const given = new Set<number>()

/**
 * Takes the port among the processes that ask here, until this one ends: servers that have yet to start, or are down for a
 * while, cannot be seen by looking at who listens. An abstract socket is Linux's; elsewhere nothing is taken.
 */
function take(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return Promise.resolve(true)
  return new Promise(resolve => {
    const mark = createServer()
    // Where there are no such sockets after all, nothing is taken either.
    mark.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'))
    mark.listen(`\0shardway-port-${port}`, () => resolve(true))
    mark.unref()
  })
}

/** The user's own choice: never given here. */
export function keepPort(port: number): void {
  given.add(port)
}

/** Whether somebody could listen there now. */
export function portIsFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** A free port of 127.0.0.1, never one that this process or another was given. */
export async function freePort(first = FIRST, last = LAST): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(first, last)
    if (given.has(port)) continue
    given.add(port)
    if ((await portIsFree(port)) && (await take(port))) return port
  }
  throw new Error('no free port found on 127.0.0.1')
}
