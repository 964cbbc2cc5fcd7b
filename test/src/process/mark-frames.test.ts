import { describe, expect, it } from 'vitest'
import { FRAME_KINDS, FrameReader, FrameWriter, readOperations } from '../../../src/process/mark-frames.ts'

function record(): { seen: unknown[]; added: (...args: unknown[]) => void; closed: (...args: unknown[]) => void } {
  const seen: unknown[] = []
  return {
    seen,
    added: (...args) => seen.push(['added', ...args]),
    closed: (...args) => seen.push(['closed', ...args]),
  }
}

describe('mark frames', () => {
  it('reads back what was written, split at any byte', () => {
    const writer = new FrameWriter(new Map())
    writer.added(2 ** 40, 'app', 4294967295, -1)
    writer.added(3, 'größe', 16384, 16383)
    writer.closed(2 ** 40, 123456.75)
    const stream = Buffer.concat([writer.take(FRAME_KINDS.batch, 2 ** 33), writer.take(FRAME_KINDS.ack, 9)])
    for (let split = 0; split <= stream.length; split++) {
      const reader = new FrameReader()
      const frames: unknown[] = []
      const operations = record()
      const names = new Map<number, string>()
      for (const chunk of [stream.subarray(0, split), stream.subarray(split)]) {
        reader.read(chunk, frame => {
          frames.push([frame.kind, frame.sequence])
          if (frame.kind === FRAME_KINDS.batch) readOperations(frame.body, 0, names, operations)
        })
      }
      expect(frames).toEqual([
        [FRAME_KINDS.batch, 2 ** 33],
        [FRAME_KINDS.ack, 9],
      ])
      expect(operations.seen).toEqual([
        ['added', 2 ** 40, 'app', 4294967295, -1],
        ['added', 3, 'größe', 16384, 16383],
        ['closed', 2 ** 40, 123456.75],
      ])
    }
  })

  it('refuses what cannot be a frame', () => {
    expect(() => new FrameReader().read(Buffer.from([0xff, 0xff, 0xff, 0xff]), () => undefined)).toThrow(RangeError)
    expect(() => readOperations(Buffer.from([9]), 0, new Map(), record())).toThrow(RangeError)
  })
})
