/** Much data through one connection, none of it kept. */
import type { Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import type { Wire } from './wire.ts'

/** Resident memory of one process, in bytes. */
export function rssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** Looks at the memory of a process while something runs. */
export async function peakRssBytes(pid: number, work: () => Promise<void>): Promise<number> {
  let peak = rssBytes(pid)
  const timer = setInterval(() => {
    peak = Math.max(peak, rssBytes(pid))
  }, 10)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return Math.max(peak, rssBytes(pid))
}

export interface Counted {
  readonly bytes: number
  /** Frames by their type. */
  readonly frames: Readonly<Record<string, number>>
}

/**
 * Counts what comes on a connection, to the n-th ReadyForQuery, instead of the Wire's own reader. Begin before the answer can
 * come.
 */
export function countToReady(wire: Wire, readies = 1): Promise<Counted> {
  const { socket } = wire
  const listeners = socket.listeners('data') as Array<(chunk: Buffer) => void>
  socket.removeAllListeners('data')
  const frames: Record<string, number> = {}
  let bytes = 0
  let head: Buffer = Buffer.alloc(0)
  let skip = 0
  return new Promise((resolve, reject) => {
    const done = (error: Error | null): void => {
      socket.off('data', onData)
      socket.off('close', onClose)
      for (const listener of listeners) socket.on('data', listener)
      if (error === null) resolve({ bytes, frames })
      else reject(error)
    }
    const onClose = (): void => done(new Error('the connection was closed'))
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      let at = Math.min(skip, chunk.length)
      skip -= at
      while (at < chunk.length) {
        const need = 5 - head.length
        head = Buffer.concat([head, chunk.subarray(at, at + need)])
        at = Math.min(chunk.length, at + need)
        if (head.length < 5) break
        const type = String.fromCharCode(head[0] ?? 0)
        frames[type] = (frames[type] ?? 0) + 1
        const body = head.readUInt32BE(1) - 4
        const here = Math.min(body, chunk.length - at)
        at += here
        skip = body - here
        head = Buffer.alloc(0)
        if (type === 'Z' && frames['Z'] === readies) return done(null)
      }
    }
    socket.on('data', onData)
    socket.on('close', onClose)
    socket.resume()
  })
}

/** Writes pieces no faster than they are taken. */
export async function pour(socket: Socket, piece: Buffer, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    if (socket.write(piece)) continue
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        socket.off('drain', done)
        socket.off('close', closed)
        resolve()
      }
      const closed = (): void => {
        socket.off('drain', done)
        reject(new Error('the connection was closed'))
      }
      socket.on('drain', done)
      socket.on('close', closed)
    })
  }
}

/** Bytes that have left this process for the other side's. */
export function leftBytes(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength
}
