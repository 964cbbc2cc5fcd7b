import { describe, expect, it } from 'vitest'
import { parseLsn } from '../../pool/node-query.ts'
import { WatermarkLedger } from '../../pool/watermark-ledger.ts'

const at = (lsn: number, start = 'p/1', timeline = 1) => ({ lsn: BigInt(lsn), timeline, start })
const replica = (lsn: number, start = 'r/1', timeline = 1) => at(lsn, start, timeline)

describe('WatermarkLedger', () => {
  it('gives a replica the latest sample that it has replayed', () => {
    const ledger = new WatermarkLedger()
    ledger.sample(100, at(10))
    ledger.sample(200, at(20))
    ledger.sample(300, at(30))
    ledger.replica('r', replica(25), 310)
    expect(ledger.marks()).toEqual([{ address: 'r', start: 'r/1', replayedUs: 200, lagUs: 110 }])
    ledger.replica('r', replica(30), 320)
    expect(ledger.marks()).toEqual([{ address: 'r', start: 'r/1', replayedUs: 300, lagUs: 0 }])
  })

  it('moves on with time while the primary stands still', () => {
    const ledger = new WatermarkLedger()
    ledger.sample(100, at(10))
    expect(ledger.sample(900, at(10))).toBe(false)
    ledger.replica('r', replica(10), 910)
    expect(ledger.marks()[0]?.replayedUs).toBe(900)
  })

  it('knows nothing of a replica behind every sample', () => {
    const ledger = new WatermarkLedger()
    ledger.sample(100, at(10))
    ledger.replica('r', replica(9), 110)
    expect(ledger.marks()).toEqual([])
  })

  it('drops the watermark of an earlier start: a crashed standby restarts behind what it served', () => {
    const ledger = new WatermarkLedger()
    ledger.sample(100, at(10))
    ledger.replica('r', replica(10), 110)
    ledger.sample(200, at(20))
    ledger.replica('r', replica(8, 'r2/1'), 210)
    expect(ledger.marks()).toEqual([])
  })

  it('compares no positions of different timelines', () => {
    const ledger = new WatermarkLedger()
    ledger.sample(100, at(10, 'p2/2', 2))
    ledger.replica('r', replica(500), 110)
    expect(ledger.marks()).toEqual([])
    ledger.replica('r', replica(500, 'r/2', 2), 110)
    expect(ledger.marks()).toHaveLength(1)
  })

  it('forgets samples of a primary that started anew, keeps what a replica had passed', () => {
    const ledger = new WatermarkLedger()
    ledger.sample(100, at(10))
    ledger.replica('r', replica(10), 110)
    ledger.sample(200, at(9, 'q/1'))
    ledger.replica('r', replica(8), 210)
    expect(ledger.marks()).toEqual([{ address: 'r', start: 'r/1', replayedUs: 100, lagUs: 110 }])
  })

  it('never claims more than is true, with a slow replica and thousands of samples', () => {
    const ledger = new WatermarkLedger()
    for (let i = 1; i <= 5000; i++) {
      ledger.sample(i * 10, at(i))
      const replayed = Math.floor(i / 2)
      ledger.replica('slow', replica(replayed), i * 10 + 1)
      const mark = ledger.marks()[0]
      if (mark !== undefined) expect(mark.replayedUs).toBeLessThanOrEqual(replayed * 10)
    }
    expect(ledger.marks()[0]?.replayedUs).toBeGreaterThan(20_000)
  })

  it('reads positions', () => {
    expect(parseLsn('0/0')).toBe(0n)
    expect(parseLsn('16/B374D848')).toBe(0x16b374d848n)
  })
})
