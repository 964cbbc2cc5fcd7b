import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { cancelOnServer } from '../../pool/connect.ts'

const SECRET = Buffer.from([1, 2, 3, 4])
const servers: Server[] = []
const sockets: Socket[] = []

async function listen(onClient: (socket: Socket) => void, allowHalfOpen = false): Promise<number> {
  const server = createServer({ allowHalfOpen }, socket => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    onClient(socket)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const cancel = (port: number, mode: 'disable' | 'prefer' = 'disable'): Promise<boolean> =>
  cancelOnServer({ host: '127.0.0.1', port, tls: { mode, ca: undefined } }, 7, SECRET, 200)

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

describe('a cancel request to a server', () => {
  it('is over when the server closes', async () => {
    const seen: Buffer[] = []
    const port = await listen(socket =>
      socket.on('data', chunk => {
        seen.push(chunk)
        socket.end()
      }),
    )
    expect(await cancel(port)).toBe(true)
    expect(Buffer.concat(seen).toString('hex')).toBe('0000001004d2162e0000000701020304')
  })

  it('may still arrive when the server never answers', async () => {
    // Half open: the end of the request does not end the server's side.
    const port = await listen(socket => socket.resume(), true)
    expect(await cancel(port)).toBe(false)
  })

  it('may still arrive when the connection breaks', async () => {
    const port = await listen(socket => socket.on('data', () => socket.resetAndDestroy()))
    expect(await cancel(port)).toBe(false)
  })

  it('was never sent when nobody listens, or nobody answers the request for TLS', async () => {
    const port = await listen(() => undefined)
    await new Promise(resolve => servers.pop()?.close(resolve))
    expect(await cancel(port)).toBe(true)
    expect(await cancel(await listen(() => undefined), 'prefer')).toBe(true)
  })
})
