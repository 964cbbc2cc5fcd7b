/** What a reload must not change: statements would be sent where the rows are not. */
import type { Catalog } from '../catalog/catalog.ts'
import { ConfigError } from '../config/config-error.ts'
import { parseQualifiedName } from '../config/names.ts'
import type { Config, DatabaseConfig } from '../config/schema.ts'

type Table = DatabaseConfig['tables'][number]

/** @throws ConfigError that names each of them. */
export function refuseUnsafe(path: string, before: Config, after: Config, catalogs: readonly Catalog[]): void {
  const problems: string[] = []
  for (const [index, database] of after.databases.entries()) {
    const old = before.databases.find(one => one.name === database.name)
    if (old === undefined) continue
    const catalog = catalogs.find(one => one.database === database.name)
    const at = `databases[${index}]`
    if (database.default_shard !== old.default_shard) {
      const rows = 'the rows of tables that are not listed are there'
      problems.push(`${at}.default_shard: found "${database.default_shard}", allowed: "${old.default_shard}"; ${rows}`)
    }
    problems.push(...tableProblems(at, old, database, catalog), ...shardProblems(at, old, database))
  }
  if (problems.length > 0) throw new ConfigError(path, problems)
}

function tableProblems(at: string, old: DatabaseConfig, now: DatabaseConfig, catalog: Catalog | undefined): string[] {
  const problems: string[] = []
  for (const table of old.tables) {
    const next = now.tables.find(one => sameName(one.name, table.name))
    if (next === undefined && !exists(catalog, table.name)) continue
    const [was, is] = [placementOf(table), next === undefined ? 'not listed' : placementOf(next)]
    if (was === is) continue
    const rows = 'its rows are where the old entry put them'
    problems.push(`${at}.tables: found table "${table.name}" ${is}, allowed: ${was}; ${rows}`)
  }
  return problems
}

function shardProblems(at: string, old: DatabaseConfig, now: DatabaseConfig): string[] {
  const problems: string[] = []
  for (const shard of now.shards) {
    const same = old.shards.find(
      one =>
        one.name !== shard.name &&
        (one.dbname ?? now.name) === (shard.dbname ?? now.name) &&
        one.nodes.some(node => shard.nodes.includes(node)),
    )
    if (same === undefined) continue
    problems.push(
      `${at}.shards: found "${shard.name}", allowed: "${same.name}"; a shard keeps its name as long as its rows`,
    )
  }
  return problems
}

function placementOf({ key, reference }: Table): string {
  return key === undefined ? (reference ? 'as reference' : 'without a key') : `with key "${key}"`
}

function sameName(a: string, b: string): boolean {
  const [one, other] = [parseQualifiedName(a), parseQualifiedName(b)]
  return JSON.stringify(one) === JSON.stringify(other)
}

function exists(catalog: Catalog | undefined, name: string): boolean {
  const wanted = parseQualifiedName(name)
  return catalog?.relations.some(one => one.schema === wanted?.schema && one.name === wanted.name) === true
}
