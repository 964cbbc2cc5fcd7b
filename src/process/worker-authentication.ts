/** Puts together how a worker lets clients in, from what the control process has told it. */
import { Authentication } from '../auth/authentication.ts'
import { UserQuery } from '../auth/user-query.ts'
import { NO_MATERIALS } from '../config/materials.ts'
import type { Config } from '../config/schema.ts'
import type { Environment } from '../execute/environment.ts'
import { primaryOf, shardNamed, type Topology } from '../topology/topology.ts'
import type { SharedMaterials } from './messages.ts'

const CONNECT_TIMEOUT_MS = 5000
const QUERY_TIMEOUT_MS = 10_000

export const NOTHING_YET: SharedMaterials = { ...NO_MATERIALS, seed: '' }

/** Before the first configuration nobody comes in. */
export const NOBODY_YET = new Authentication({
  config: { auth: { method: 'scram-sha-256', query: '' }, users: [] },
  hba: null,
  seed: Buffer.alloc(0),
  query: null,
})

/** For a new configuration; what logins have taught stays, for the sessions that go on. */
export function renewed(
  before: Authentication,
  config: Config,
  materials: SharedMaterials,
  log: Pick<Environment, 'logWarning'>,
  topology: () => Topology | null,
): Authentication {
  before.close()
  const seed = Buffer.from(materials.seed, 'base64')
  const query = config.auth.query === '' ? null : userQuery(config, log, topology)
  return new Authentication({ config, hba: materials.hba, seed, query, secrets: before.secrets })
}

function userQuery(config: Config, log: Pick<Environment, 'logWarning'>, topology: () => Topology | null): UserQuery {
  return new UserQuery({
    text: config.auth.query,
    targetOf: name => {
      // Of a database that does not exist, and of the console, the first one's servers speak: who asks cannot tell.
      const database = config.databases.find(one => one.name === name) ?? config.databases[0]
      const known = topology()?.databases.find(one => one.name === database?.name)
      const shard = known === undefined ? undefined : shardNamed(known, known.defaultShard)
      const primary = shard === undefined ? undefined : primaryOf(shard)
      if (database === undefined || shard === undefined || primary === undefined) return null
      return {
        host: primary.host,
        port: primary.port,
        dbname: shard.dbname,
        user: database.control_user,
        password: database.control_password,
      }
    },
    control: {
      tls: config.server.tls,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      queryTimeoutMs: QUERY_TIMEOUT_MS,
      applicationName: 'shardway auth',
    },
    nowMs: () => performance.now(),
    failed: (place, error) =>
      log.logWarning('a user could not be looked up', { event: 'auth-query-failed', place, error }),
  })
}
