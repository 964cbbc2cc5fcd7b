import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../../src/admin/commands.ts'
import { runConsole } from '../../../src/admin/console.ts'
import { adminContext } from './context.ts'

describe('rights', () => {
  it('stats users may SHOW and nothing else', async () => {
    for (const command of COMMANDS) {
      const context = adminContext({ user: 'watch', rights: { admin: false, stats: true } })
      const run = runConsole(command.name, context)
      if (command.name.startsWith('show ') && command.rights === 'stats') {
        if (command.run !== null) await run
        else await expect(run).rejects.toMatchObject({ sqlstate: '0A000' })
      } else await expect(run, command.name).rejects.toMatchObject({ sqlstate: '42501' })
      expect(context.calls).toEqual([])
    }
  })

  it('stats users may set what drivers set', async () => {
    const context = adminContext({ user: 'watch', rights: { admin: false, stats: true } })
    expect((await runConsole("SET client_encoding TO 'UTF8'", context)).tag).toBe('SET')
  })

  it('others nothing at all', async () => {
    const context = adminContext({ user: 'x', rights: { admin: false, stats: false } })
    for (const command of COMMANDS) {
      await expect(runConsole(command.name, context)).rejects.toMatchObject({ sqlstate: '42501' })
    }
    for (const sql of ["SET client_encoding TO 'UTF8'", 'SHOW server_version', '']) {
      await expect(runConsole(sql, context)).rejects.toMatchObject({ sqlstate: '42501' })
    }
  })

  it('SHOW HELP lists what may be run', async () => {
    const { rows } = await runConsole('SHOW HELP', adminContext({ rights: { admin: false, stats: true } }))
    expect(rows.every(([command]) => command?.startsWith('SHOW'))).toBe(true)
  })
})
