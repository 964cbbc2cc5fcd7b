/**
 * The mesh: a socket between each two sibling workers, over which marks travel (docs/internals/processes.md).
 *
 * The control process says who lives. A worker serves replica reads only while it hears every sibling that lives, and a
 * write's answer waits for every sibling that lives; so one of the two sides always knows of the other. The younger worker
 * connects to the older one and says hello with all that runs; the older one answers in kind.
 */
import { rmSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import type { Marks, MarkSink } from '../../pool/marks.ts'
import { ackFrame, FRAME_KINDS, type Frame, FrameReader, FrameWriter, readOperations } from './mark-frames.ts'

const RETRY_MS = 20

export interface MeshOptions {
  readonly marks: Marks
  /** Private to the workers of one control process, mode 0700. */
  readonly folder: string
  /** Grows with each worker started; names its socket. */
  readonly serial: number
}

interface Peer {
  readonly serial: number
  socket: net.Socket | null
  /** Its hello is here: its running sets are known. */
  heard: boolean
  /** Batches up to here need no acknowledgement by it any more. */
  acknowledged: number
  retry: NodeJS.Timeout | null
}

export function socketPath(folder: string, serial: number): string {
  return join(folder, `${serial}.sock`)
}

export class Mesh implements MarkSink {
  readonly #marks: Marks
  readonly #folder: string
  readonly #serial: number
  readonly #server: net.Server
  readonly #peers = new Map<number, Peer>()
  /** Connections whose hello has not come yet. */
  readonly #strangers = new Set<net.Socket>()
  readonly #names = new Map<string, number>()
  readonly #writer = new FrameWriter(this.#names)
  #sequence = 1
  #scheduled = false
  #waiting: Array<{ readonly batch: number; readonly callback: () => void }> = []
  #closed = false

  constructor(options: MeshOptions) {
    this.#marks = options.marks
    this.#folder = options.folder
    this.#serial = options.serial
    this.#server = net.createServer(socket => this.#accept(socket))
    this.#marks.connect(this)
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(socketPath(this.#folder, this.#serial), resolve)
    })
  }

  /** Serials of the other workers that live, from the control process. */
  setSiblings(serials: readonly number[]): void {
    for (const [serial, peer] of this.#peers) {
      if (serials.includes(serial)) continue
      this.#peers.delete(serial)
      if (peer.retry !== null) clearTimeout(peer.retry)
      peer.socket?.destroy()
      this.#marks.remoteGone(serial)
    }
    for (const serial of serials) {
      if (serial === this.#serial) continue
      const peer = this.#peer(serial)
      if (serial < this.#serial && peer.socket === null && peer.retry === null) this.#dial(peer)
    }
    this.#judge()
  }

  close(): void {
    this.#closed = true
    this.setSiblings([])
    for (const socket of this.#strangers) socket.destroy()
    this.#server.close()
    rmSync(socketPath(this.#folder, this.#serial), { force: true })
    this.#marks.connect(null)
  }

  // MarkSink

  added(set: number, database: string, relation: number, slot: number): number {
    if (this.#peers.size === 0) return 0
    this.#writer.added(set, database, relation, slot)
    this.#schedule()
    return this.#sequence
  }

  closed(set: number, endUs: number): void {
    if (this.#peers.size === 0) return
    this.#writer.closed(set, endUs)
    this.#schedule()
  }

  isAcknowledged(batch: number): boolean {
    for (const peer of this.#peers.values()) {
      if (peer.acknowledged < batch) return false
    }
    return true
  }

  whenAcknowledged(batch: number, callback: () => void): void {
    this.#waiting.push({ batch, callback })
  }

  /** All marks of one turn of the event loop travel together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    if (this.#writer.empty) return
    const frame = this.#writer.take(FRAME_KINDS.batch, this.#sequence++)
    for (const peer of this.#peers.values()) peer.socket?.write(frame)
  }

  #peer(serial: number): Peer {
    let peer = this.#peers.get(serial)
    if (peer === undefined) {
      peer = { serial, socket: null, heard: false, acknowledged: 0, retry: null }
      this.#peers.set(serial, peer)
    }
    return peer
  }

  #dial(peer: Peer): void {
    peer.retry = null
    const socket = net.connect(socketPath(this.#folder, peer.serial))
    socket.on('connect', () => this.#adopt(peer, socket))
    socket.on('error', () => undefined)
    const reader = new FrameReader()
    const names = new Map<number, string>()
    socket.on('data', chunk => this.#read(socket, reader, chunk, frame => this.#take(peer, socket, names, frame)))
    socket.on('close', () => {
      this.#lost(peer, socket)
      // It may not listen yet, or the connection broke: as long as it is said to live, it is tried.
      if (!this.#closed && this.#peers.get(peer.serial) === peer) {
        peer.retry = setTimeout(() => this.#dial(peer), RETRY_MS)
      }
    })
  }

  #accept(socket: net.Socket): void {
    this.#strangers.add(socket)
    const reader = new FrameReader()
    const names = new Map<number, string>()
    let peer: Peer | null = null
    socket.on('error', () => undefined)
    socket.on('data', chunk =>
      this.#read(socket, reader, chunk, frame => {
        if (peer === null) {
          if (frame.kind !== FRAME_KINDS.hello) throw new RangeError('no hello')
          // The control process may not have told of it yet; it is a sibling all the same, since the folder is private.
          peer = this.#peer(frame.body.readUInt32BE(0))
          this.#strangers.delete(socket)
          peer.socket?.destroy()
          this.#adopt(peer, socket)
        }
        this.#take(peer, socket, names, frame)
      }),
    )
    socket.on('close', () => {
      this.#strangers.delete(socket)
      if (peer !== null) this.#lost(peer, socket)
    })
  }

  #read(socket: net.Socket, reader: FrameReader, chunk: Buffer, visit: (frame: Frame) => void): void {
    try {
      reader.read(chunk, visit)
    } catch {
      socket.destroy()
    }
  }

  /**
   * Says hello. What is queued goes out first: the hello describes the state after it, the next batch comes after. Names go
   * to everyone, since ids are the sender's, not the connection's.
   */
  #adopt(peer: Peer, socket: net.Socket): void {
    for (const set of this.#marks.openSets().values()) set.describe(database => this.#writer.name(database))
    this.#flush()
    peer.socket = socket
    peer.heard = false
    const writer = new FrameWriter(this.#names)
    writer.serial(this.#serial)
    for (const [database, id] of this.#names) writer.defineName(database, id)
    for (const [id, set] of this.#marks.openSets()) {
      set.describe((database, relation, slot) => writer.added(id, database, relation, slot))
    }
    socket.write(writer.take(FRAME_KINDS.hello, this.#sequence - 1))
  }

  #take(peer: Peer, socket: net.Socket, names: Map<number, string>, frame: Frame): void {
    if (peer.socket !== socket) return
    if (frame.kind === FRAME_KINDS.ack) {
      peer.acknowledged = Math.max(peer.acknowledged, frame.sequence)
      this.#wake()
      return
    }
    const operations = {
      added: (set: number, database: string, relation: number, slot: number): void =>
        this.#marks.remoteAdded(peer.serial, set, database, relation, slot),
      closed: (set: number, endUs: number): void => this.#marks.remoteClosed(peer.serial, set, endUs),
    }
    if (frame.kind === FRAME_KINDS.hello) {
      this.#marks.remoteGone(peer.serial)
      readOperations(frame.body, 4, names, operations)
      peer.heard = true
      // Writes that ended before the hello are unknown here.
      this.#marks.raiseFloor(this.#marks.nowUs())
      this.#judge()
    } else {
      readOperations(frame.body, 0, names, operations)
    }
    socket.write(ackFrame(frame.sequence))
  }

  /** A lost connection is no death: only the control process says that. Until then neither side counts on the other. */
  #lost(peer: Peer, socket: net.Socket): void {
    if (peer.socket !== socket) return
    peer.socket = null
    peer.heard = false
    this.#judge()
  }

  #judge(): void {
    let serving = true
    for (const peer of this.#peers.values()) serving &&= peer.heard
    this.#marks.setServing(serving)
    this.#wake()
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    let least = Number.POSITIVE_INFINITY
    for (const peer of this.#peers.values()) least = Math.min(least, peer.acknowledged)
    const ready = this.#waiting.filter(entry => entry.batch <= least)
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(entry => entry.batch > least)
    for (const entry of ready) entry.callback()
  }
}
