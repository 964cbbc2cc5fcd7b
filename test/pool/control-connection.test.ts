import { createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { connectControl } from '../../pool/control-connection.ts'

const options = {
  tls: { mode: 'disable', ca: undefined },
  connectTimeoutMs: 5000,
  queryTimeoutMs: 5000,
  applicationName: 'test',
} as const

/** A DataRow of five columns in which there is nothing, behind a login that asks for no password. */
const GARBAGE = Buffer.from('5200000008000000005a000000054944000000060005', 'hex')

it('a server that sends garbage costs its connection, not the process', async () => {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => socket.write(GARBAGE))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const target = { host: '127.0.0.1', port, dbname: 'app', user: 'app', password: 'app' }
  await expect(connectControl(target, options)).rejects.toThrow()
  for (const socket of sockets) socket.destroy()
  await new Promise(resolve => server.close(resolve))
})
