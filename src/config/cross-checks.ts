/** What must hold between entries of the file: names that point at each other, duplicates, things needed together. */
import { authProblems } from './auth-checks.ts'
import { parseQualifiedName } from './names.ts'
import { isTrue, list, type Raw, table, text, texts } from './raw-view.ts'

/** Names of the admin console: no application's database can have them. */
export const CONSOLE_DATABASES = ['shardway', 'pgbouncer'] as const

export function crossProblems(file: Raw): string[] {
  const problems: string[] = []
  const databases = list(file, 'databases')
  const users = list(file, 'users')
  duplicates(databases, 'database', problems)
  duplicates(users, 'user', problems)
  for (const database of databases) databaseProblems(database, problems)
  const names = databases.map(one => text(one, 'name')).filter(name => name !== undefined)
  for (const user of users) userProblems(user, names, problems)
  problems.push(...authProblems(file))
  tlsProblems(file, problems)
  reusePortProblems(table(file, 'listen'), problems)
  const state = table(file, 'state')
  if (text(state, 'store') === 'etcd' && (texts(state, 'endpoints')?.length ?? 0) === 0) {
    problems.push('state.endpoints: missing, allowed: one URL or more, since store = "etcd"')
  }
  return problems
}

function duplicates(entries: readonly Raw[], what: string, problems: string[]): void {
  const seen = new Map<string, string>()
  for (const entry of entries) {
    const name = text(entry, 'name')
    if (name === undefined) continue
    const first = seen.get(name)
    if (first === undefined) seen.set(name, entry.path)
    else problems.push(`${entry.path}.name: found "${name}", which is already the ${what} at ${first}`)
  }
}

function databaseProblems(database: Raw, problems: string[]): void {
  const name = text(database, 'name')
  if (name !== undefined && CONSOLE_DATABASES.some(reserved => reserved === name)) {
    problems.push(`${database.path}.name: found "${name}", which is the admin console's name`)
  }
  const shards = list(database, 'shards')
  duplicates(shards, 'shard', problems)
  const shardNames = shards.map(one => text(one, 'name')).filter(one => one !== undefined)
  const defaultShard = text(database, 'default_shard')
  if (defaultShard === undefined && shards.length > 1) {
    problems.push(`${database.path}.default_shard: missing, allowed: ${shardNames.join(', ')}`)
  }
  if (defaultShard !== undefined && shards.length > 0 && !shardNames.includes(defaultShard)) {
    problems.push(`${database.path}.default_shard: found "${defaultShard}", allowed: ${shardNames.join(', ')}`)
  }
  nodeProblems(shards, name ?? '', problems)
  const seen = new Map<string, string>()
  for (const one of list(database, 'tables')) tableProblems(one, seen, problems)
  for (const kind of ['server', 'control']) {
    const ways = [`${kind}_password`, `${kind}_password_env`, `${kind}_password_file`]
    onlyOne(database, ways, problems)
  }
  const secret = ['server_password', 'server_password_env', 'server_password_file']
  if (text(database, 'server_user') === undefined && secret.some(way => text(database, way) !== undefined)) {
    problems.push(`${database.path}.server_password: found without server_user, which it belongs to`)
  }
}

/** One server may hold several shards in databases of their own, never the same database twice. */
function nodeProblems(shards: readonly Raw[], databaseName: string, problems: string[]): void {
  const seen = new Map<string, string>()
  for (const shard of shards) {
    const nodes = texts(shard, 'nodes') ?? []
    for (const [index, node] of nodes.entries()) {
      const key = `${node}/${text(shard, 'dbname') ?? databaseName}`
      const path = `${shard.path}.nodes[${index}]`
      const first = seen.get(key)
      if (first === undefined) seen.set(key, path)
      else problems.push(`${path}: found "${node}", which is already at ${first} with the same dbname`)
    }
    const replication = texts(shard, 'replication_addresses')
    if (replication !== undefined && replication.length > 0 && replication.length !== nodes.length) {
      problems.push(
        `${shard.path}.replication_addresses: found ${replication.length}, allowed: ${nodes.length}, one for each node`,
      )
    }
  }
}

function tableProblems(one: Raw, seen: Map<string, string>, problems: string[]): void {
  const hasKey = text(one, 'key') !== undefined
  const reference = isTrue(one, 'reference')
  if (hasKey && reference) problems.push(`${one.path}: found key and reference = true, allowed: one of them`)
  if (!hasKey && !reference) problems.push(`${one.path}: found neither key nor reference = true, allowed: one of them`)
  const written = text(one, 'name')
  const name = written === undefined ? null : parseQualifiedName(written)
  if (name === null) return
  if (name.schema === 'shardway') problems.push(`${one.path}.name: found "${written}", a schema of Shardway's own`)
  const key = JSON.stringify(name)
  const first = seen.get(key)
  if (first === undefined) seen.set(key, one.path)
  else problems.push(`${one.path}.name: found "${written}", which is already the table at ${first}`)
}

function userProblems(user: Raw, databases: readonly string[], problems: string[]): void {
  for (const [index, name] of (texts(user, 'databases') ?? []).entries()) {
    const known = [...databases, ...CONSOLE_DATABASES]
    if (!known.includes(name)) {
      problems.push(`${user.path}.databases[${index}]: found "${name}", allowed: ${databases.join(', ')}`)
    }
  }
  onlyOne(user, ['password', 'password_env', 'password_file'], problems)
}

function onlyOne(entry: Raw, ways: readonly string[], problems: string[]): void {
  const given = ways.filter(way => entry.value[way] !== undefined)
  if (given.length > 1) problems.push(`${entry.path}: found ${given.join(' and ')}, allowed: one of them`)
}

/** Whether this Node can listen with SO_REUSEPORT. */
function hasReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
}

function reusePortProblems(listen: Raw, problems: string[]): void {
  if (!isTrue(listen, 'reuse_port')) return
  if (!hasReusePort()) {
    problems.push(
      `listen.reuse_port: found true, allowed: false; it needs Node 22.12 or newer, this is ${process.versions.node}`,
    )
  }
  if (listen.value['port'] === 0)
    problems.push('listen.port: found 0, allowed: a port of its own with reuse_port = true')
}

function tlsProblems(file: Raw, problems: string[]): void {
  const tls = table(table(file, 'listen'), 'tls')
  const cert = text(tls, 'cert')
  const key = text(tls, 'key')
  if (cert !== undefined && key === undefined)
    problems.push('listen.tls.key: missing, allowed: the key of listen.tls.cert')
  if (key !== undefined && cert === undefined)
    problems.push('listen.tls.cert: missing, allowed: the chain of listen.tls.key')
  const wanted = text(tls, 'mode')
  if (cert === undefined && (wanted === 'require' || wanted === 'verify-ca' || wanted === 'verify-full')) {
    problems.push(`listen.tls.cert: missing, allowed: a file name, since mode = "${wanted}"`)
  }
  if ((wanted === 'verify-ca' || wanted === 'verify-full') && text(tls, 'ca') === undefined) {
    problems.push(`listen.tls.ca: missing, allowed: a file name, since mode = "${wanted}"`)
  }
  const server = table(table(file, 'server'), 'tls')
  const mode = text(server, 'mode')
  if ((mode === 'verify-ca' || mode === 'verify-full') && text(server, 'ca') === undefined) {
    problems.push(`server.tls.ca: missing, allowed: a file name, since mode = "${mode}"`)
  }
}
