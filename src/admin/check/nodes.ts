/** What `shardway check` asks every node: version, role, encoding, settings, and the rights of the two users. */
import type { Client } from 'pg'
import type { Config, DatabaseConfig, ShardConfig } from '../../config/schema.ts'
import { controlLogin, serverLogins, withConnection } from './connect.ts'
import { passedThrough, storedVerifiers, verifierFindings } from './verifiers.ts'
import { type Finding, failure, warning } from './finding.ts'

export interface NodeFacts {
  readonly address: string
  readonly shard: string
  readonly dbname: string
  readonly versionNum: number
  readonly inRecovery: boolean
  readonly systemIdentifier: string
}

interface ServerRow {
  readonly version_num: string
  readonly in_recovery: boolean
  readonly encoding: string
  readonly max_prepared: string
  readonly wal_level: string
  readonly system_identifier: string
  readonly super: boolean
  readonly replication: boolean
  readonly monitor: boolean
  readonly may_create: boolean
}

const SERVER_SQL = `
select pg_catalog.current_setting('server_version_num') as version_num,
       pg_catalog.pg_is_in_recovery() as in_recovery,
       pg_catalog.pg_encoding_to_char(d.encoding) as encoding,
       pg_catalog.current_setting('max_prepared_transactions') as max_prepared,
       pg_catalog.current_setting('wal_level') as wal_level,
       (select system_identifier::text from pg_catalog.pg_control_system()) as system_identifier,
       r.rolsuper as super, r.rolreplication as replication,
       pg_catalog.pg_has_role(r.oid, 'pg_monitor', 'usage') as monitor,
       pg_catalog.has_database_privilege(d.oid, 'CREATE') as may_create
  from pg_catalog.pg_database d, pg_catalog.pg_roles r
 where d.datname = pg_catalog.current_database() and r.rolname = current_user`

export async function checkNode(
  config: Config,
  database: DatabaseConfig,
  shard: ShardConfig,
  address: string,
  findings: Finding[],
): Promise<NodeFacts | null> {
  const where = `${database.name}/${shard.name}/${address}`
  const control = controlLogin(database)
  const asked = await withConnection(config.server.tls, address, shard.dbname, control, client =>
    client.query<ServerRow>(SERVER_SQL),
  )
  if ('failure' in asked) {
    findings.push(failure(where, asked.failure.message, asked.failure.hint))
    // Nothing listens there: the other users would only say so again.
    if (asked.failure.message.startsWith('unreachable')) return null
  }
  const row = 'result' in asked ? asked.result.rows[0] : undefined
  if (row !== undefined) serverFindings(where, row, database, findings)
  const through = passedThrough(database, config.users)
  if (through.length > 0 && row !== undefined) {
    const names = through.map(user => user.name)
    const looked = await withConnection(config.server.tls, address, shard.dbname, control, client =>
      storedVerifiers(client, names),
    )
    if ('result' in looked) findings.push(...verifierFindings(where, through, looked.result))
  }
  for (const login of serverLogins(database, config.users)) {
    if (login.user === control.user && login.password === control.password) continue
    const tried = await withConnection(config.server.tls, address, shard.dbname, login, client =>
      mayUseTemporary(client),
    )
    if ('failure' in tried) findings.push(failure(where, tried.failure.message, tried.failure.hint))
    else if (!tried.result && row?.in_recovery === false) {
      findings.push(
        warning(
          where,
          `user "${login.user}" may not create temporary tables`,
          `GRANT TEMPORARY ON DATABASE ${shard.dbname} TO ${login.user}; statements that gather rows of several shards need it.`,
        ),
      )
    }
  }
  if (row === undefined) return null
  return {
    address,
    shard: shard.name,
    dbname: shard.dbname,
    versionNum: Number(row.version_num),
    inRecovery: row.in_recovery,
    systemIdentifier: row.system_identifier,
  }
}

async function mayUseTemporary(client: Client): Promise<boolean> {
  const answer = await client.query<{ may: boolean }>(
    "select pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY') as may",
  )
  return answer.rows[0]?.may ?? false
}

function serverFindings(where: string, row: ServerRow, database: DatabaseConfig, findings: Finding[]): void {
  const several = database.shards.length > 1
  const major = Math.floor(Number(row.version_num) / 10_000)
  if (major < 15) findings.push(failure(where, `Postgres ${major} is too old`, 'Shardway supports Postgres 15 to 18.'))
  else if (major > 18)
    findings.push(warning(where, `Postgres ${major} is newer than the releases tried`, 'Tried: 15 to 18.'))
  if (row.encoding !== 'UTF8') {
    findings.push(
      failure(where, `the encoding of the database is ${row.encoding}`, 'Only UTF8 databases can be sharded.'),
    )
  }
  if (row.max_prepared === '0') {
    const hint = 'Set max_prepared_transactions to at least max_connections and restart: writes over shards need it.'
    findings.push((several ? failure : warning)(where, 'max_prepared_transactions = 0', hint))
  }
  if (row.wal_level !== 'logical') {
    const hint = 'Set wal_level = logical and restart: moving slots between shards needs it.'
    findings.push(warning(where, `wal_level = ${row.wal_level}`, hint))
  }
  if (row.super) return
  const user = database.control_user
  if (!row.monitor) {
    findings.push(
      failure(
        where,
        `control_user "${user}" is no member of pg_monitor`,
        `GRANT pg_monitor TO ${user}; health and lag need it.`,
      ),
    )
  }
  if (!row.may_create && !row.in_recovery) {
    const hint = `GRANT CREATE ON DATABASE … TO ${user}; the schema "shardway" is made by it.`
    findings.push(failure(where, `control_user "${user}" may not create a schema`, hint))
  }
  if (!row.replication) {
    const hint = `ALTER ROLE ${user} REPLICATION; moving slots and rejoining a node need it.`
    findings.push(warning(where, `control_user "${user}" lacks REPLICATION`, hint))
  }
}

/** What only several nodes together show: primaries, strangers, one server taken for two. */
export function checkTogether(database: DatabaseConfig, facts: readonly NodeFacts[], findings: Finding[]): void {
  for (const shard of database.shards) {
    const nodes = facts.filter(node => node.shard === shard.name)
    const primaries = nodes.filter(node => !node.inRecovery)
    const where = `${database.name}/${shard.name}`
    if (nodes.length > 0 && primaries.length === 0) {
      findings.push(failure(where, 'no primary among the nodes', 'List the node that takes writes, or promote one.'))
    }
    if (primaries.length > 1) {
      const names = primaries.map(node => node.address).join(' and ')
      const hint = 'Nodes of one shard are one primary and its replicas. Other primaries are shards of their own.'
      findings.push(failure(where, `two primaries: ${names}`, hint))
    }
    const [primary] = primaries
    for (const node of nodes) {
      if (primary === undefined || !node.inRecovery || node.systemIdentifier === primary.systemIdentifier) continue
      const hint = 'Its system identifier differs. Replicas are made by pg_basebackup from the primary of their shard.'
      findings.push(failure(`${where}/${node.address}`, `is no replica of ${primary.address}`, hint))
    }
  }
  const seen = new Map<string, NodeFacts>()
  for (const node of facts.filter(one => !one.inRecovery)) {
    const key = `${node.systemIdentifier}/${node.dbname}`
    const other = seen.get(key)
    if (other !== undefined && other.shard !== node.shard) {
      const hint = 'Two shards must not be the same database.'
      findings.push(
        failure(`${database.name}/${node.shard}/${node.address}`, `is the database of shard "${other.shard}"`, hint),
      )
    }
    seen.set(key, other ?? node)
  }
  const majors = new Set(facts.map(node => Math.floor(node.versionNum / 10_000)))
  if (majors.size > 1) {
    const hint = 'Answers and error texts can differ between major versions.'
    findings.push(
      warning(database.name, `shards run Postgres ${[...majors].toSorted((a, b) => a - b).join(' and ')}`, hint),
    )
  }
}
