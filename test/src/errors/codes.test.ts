import { describe, expect, it } from 'vitest'
import { CODES, errorOf, severityOf } from '../../../src/errors/codes.ts'

describe('codes', () => {
  it('have five characters each and say what to do', () => {
    for (const [name, code] of Object.entries(CODES)) {
      expect(name).toMatch(/^[a-z][a-z_]*$/)
      expect(code.sqlstate).toMatch(/^[0-9A-Z]{5}$/)
      expect(code.remedy.length).toBeGreaterThan(0)
    }
  })

  it('have every class that the contract names', () => {
    const states = new Set<string>(Object.values(CODES).map(code => code.sqlstate))
    for (const state of '08006 08007 08P01 0A000 22023 25006 28P01 3D000 40001 53300 57014 57P01 57P03'.split(' ')) {
      expect(states).toContain(state)
    }
  })

  it('make errors', () => {
    const error = errorOf('no_such_object', { kind: 'client', name: 7 })
    expect(error).toMatchObject({ code: 'no_such_object', sqlstate: '42704', message: 'client "7" does not exist' })
    expect(error.hint).toBe('The matching SHOW lists them.')
    expect(errorOf('bad_password', { user: 'x' }).hint).toBeUndefined()
    expect(severityOf('bad_password')).toBe('FATAL')
    expect(severityOf('unheard of')).toBe('ERROR')
  })
})
