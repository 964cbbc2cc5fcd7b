import { describe, expect, it } from 'vitest'
import { errorOf } from '../../../src/errors/codes.ts'
import { createLog } from '../../../src/observe/log.ts'

function lines(level: string, write: (log: ReturnType<typeof createLog>) => void): Array<Record<string, unknown>> {
  const written: string[] = []
  const log = createLog({ level, version: '1.2.3', worker: 1, destination: { write: line => void written.push(line) } })
  write(log)
  return written.map(line => {
    expect(line.endsWith('\n')).toBe(true)
    expect(line.trimEnd()).not.toContain('\n')
    return JSON.parse(line) as Record<string, unknown>
  })
}

describe('log', () => {
  it('writes one ECS object a line', () => {
    const [line] = lines('info', log => log.info({ event: 'node.role-changed', 'shardway.shard': 's0' }, 'now primary'))
    expect(line).toMatchObject({
      'log.level': 'info',
      message: 'now primary',
      'service.name': 'shardway',
      'service.version': '1.2.3',
      'event.action': 'node.role-changed',
      'shardway.shard': 's0',
      'shardway.worker': 1,
    })
    expect(Date.parse(String(line?.['@timestamp']))).not.toBeNaN()
    expect(line).not.toHaveProperty('event')
  })

  it('spreads errors over error.*', () => {
    const found = lines('info', log => {
      log.error({ error: errorOf('no_primary', { shard: 's0' }) }, 'a')
      log.error({ error: new TypeError('odd') }, 'b')
      log.error(Object.assign(new Error('bare'), { code: 'EPIPE' }))
    })
    expect(found[0]).toMatchObject({ 'error.code': 'no_primary', 'error.sqlstate': '57P03' })
    expect(found[1]).toMatchObject({ 'error.type': 'TypeError', 'error.message': 'odd' })
    expect(found[2]).toMatchObject({ 'error.code': 'EPIPE', 'error.message': 'bare', message: 'bare' })
  })

  it('keeps to its level', () => {
    expect(lines('warn', log => log.info('no'))).toEqual([])
  })

  it('hides secrets wherever they stand', () => {
    const found = lines('info', log =>
      log.info(
        { user: { password: 'hide-me' }, config: { users: [{ password: ['hide-me'] }] }, password: 'hide-me' },
        'x',
      ),
    )
    expect(JSON.stringify(found)).not.toContain('hide-me')
  })
})
