/** A node may have changed its role, or have been restarted behind what it served: looked at before first use. */
import { ShardwayError } from '../src/errors/shardway-error.ts'
import { internalQuery } from './internal-query.ts'
import type { ServerConnection } from './server-connection.ts'

const SQL =
  'select pg_catalog.pg_is_in_recovery(), extract(epoch from pg_catalog.pg_postmaster_start_time())::pg_catalog.text'

export function identify(
  server: ServerConnection,
  expected: { readonly role: 'primary' | 'replica'; readonly address: string },
  callback: (error: ShardwayError | null) => void,
): void {
  internalQuery(server, SQL, (error, rows) => {
    if (error !== null) return callback(error)
    server.state.start = rows[0]?.[1] ?? ''
    const role = rows[0]?.[0] === 'f' ? 'primary' : 'replica'
    if (role === expected.role) return callback(null)
    callback(
      new ShardwayError('role_changed', '57P03', `node ${expected.address} is not a ${expected.role} now`, {
        hint: 'The proxy looks at its nodes again; try again in a moment.',
      }),
    )
  })
}
