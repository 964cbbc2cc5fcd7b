import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePort, keepPort } from '../../../src/cluster/ports.ts'

const only = (port: number): [number, number] => [port, port + 1]

it('gives a port once', async () => {
  const port = await freePort()
  await expect(freePort(...only(port))).rejects.toThrow('no free port')
})

it('gives none that the user has chosen', async () => {
  keepPort(9_999)
  await expect(freePort(...only(9_999))).rejects.toThrow('no free port')
})

it.runIf(process.platform === 'linux')(
  'gives none that another process was given and does not listen on yet',
  async () => {
    const other = createServer().listen('\0shardway-port-9998')
    await once(other, 'listening')
    await expect(freePort(...only(9_998))).rejects.toThrow('no free port')
    other.close()
  },
)

it('gives none on which somebody listens', async () => {
  const other = createServer().listen(9_997, '127.0.0.1')
  await once(other, 'listening')
  await expect(freePort(...only(9_997))).rejects.toThrow('no free port')
  other.close()
})
