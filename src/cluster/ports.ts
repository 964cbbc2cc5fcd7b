import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Below the range from which the kernel gives ports to outgoing connections (32768 on Linux, 49152 elsewhere): the port
// of a server that is down for a while must still be free when it comes back.
const FIRST = 10_240
const LAST = 32_000

const given = new Set<number>()

/** Whether somebody could listen there now. */
export function portIsFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** A free port of 127.0.0.1, never the same twice in one process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(FIRST, LAST)
    if (given.has(port)) continue
    given.add(port)
    if (await portIsFree(port)) return port
  }
  throw new Error('no free port found on 127.0.0.1')
}
