import { describe, expect, it } from 'vitest'
import { Admission } from '../../../src/process/admission.ts'

const client = (database: string, user: string, worker = 1) => ({ database, user, worker })

describe('admission', () => {
  it('counts by database, over users and workers', () => {
    const all = new Admission(database => ({ databaseClients: database === 'app' ? 2 : 0, userClients: 0 }))
    expect(all.enter(1, client('app', 'a'))).toBe(null)
    expect(all.enter(2, client('app', 'b', 2))).toBe(null)
    expect(all.enter(3, client('app', 'c'))).toBe('max_db_client_connections')
    expect(all.enter(4, client('other', 'c'))).toBe(null)
    all.leave(3) // was never in
    expect(all.enter(5, client('app', 'c'))).toBe('max_db_client_connections')
    all.leave(1)
    expect(all.enter(6, client('app', 'c'))).toBe(null)
  })

  it('counts by user, over databases', () => {
    const all = new Admission((_, user) => ({ databaseClients: 0, userClients: user === 'a' ? 1 : 0 }))
    expect(all.enter(1, client('app', 'a'))).toBe(null)
    expect(all.enter(2, client('other', 'a'))).toBe('max_user_client_connections')
    expect(all.enter(3, client('other', 'b'))).toBe(null)
    all.leave(1)
    all.leave(1)
    expect(all.enter(4, client('other', 'a'))).toBe(null)
    expect(all.clients).toBe(2)
  })

  it('clients of a worker that is gone are gone', () => {
    const all = new Admission(() => ({ databaseClients: 2, userClients: 2 }))
    all.enter(1, client('app', 'a', 1))
    all.enter(2, client('app', 'a', 2))
    all.workerGone(1)
    expect(all.enter(3, client('app', 'a', 2))).toBe(null)
    expect(all.enter(4, client('app', 'a', 2))).toBe('max_db_client_connections')
  })
})
