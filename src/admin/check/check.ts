/** `shardway check`: everything that would not work, named at once. Changes nothing anywhere. */
import { Users } from '../../auth/users.ts'
import type { Config, DatabaseConfig } from '../../config/schema.ts'
import { controlLogin, withConnection } from './connect.ts'
import { schemaDifferences } from './differences.ts'
import { type Finding, failure, warning } from './finding.ts'
import { checkNode, checkTogether, type NodeFacts } from './nodes.ts'
import { placementsOf } from './placements.ts'
import { checkPrivileges } from './privileges.ts'
import { readSchema, type SchemaFacts } from './schema.ts'
import { checkTables } from './tables.ts'

/** @param notes what the file asks for and this release leaves out (`loadConfigWithNotes`). */
export async function runCheck(config: Config, notes: readonly string[] = []): Promise<readonly Finding[]> {
  const findings: Finding[] = notes.map(note => {
    const colon = note.indexOf(': ')
    return warning(note.slice(0, colon), note.slice(colon + 2))
  })
  for (const text of new Users(config).warnings(config.auth.method)) findings.push(warning('users', text))
  for (const database of config.databases) findings.push(...(await checkDatabase(config, database)))
  return findings
}

async function checkDatabase(config: Config, database: DatabaseConfig): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const facts: NodeFacts[] = []
  // All nodes at once: an address that swallows packets costs its timeout only once. Findings keep the order of the file.
  const asked = database.shards.flatMap(shard =>
    shard.nodes.map(async address => {
      const found: Finding[] = []
      return { found, facts: await checkNode(config, database, shard, address, found) }
    }),
  )
  for (const node of await Promise.all(asked)) {
    findings.push(...node.found)
    if (node.facts !== null) facts.push(node.facts)
  }
  checkTogether(database, facts, findings)
  const schemas = await readSchemas(config, database, facts, findings)
  const expected = schemas.get(database.default_shard)
  if (expected === undefined) return findings
  findings.push(...checkTables(database, expected))
  const placements = placementsOf(database, expected)
  for (const shard of database.shards) {
    const found = schemas.get(shard.name)
    if (found === undefined || shard.name === database.default_shard) continue
    findings.push(...schemaDifferences(`${database.name}/${shard.name}`, expected, found, placements))
  }
  for (const node of facts.filter(one => !one.inRecovery)) {
    const schema = schemas.get(node.shard)
    if (schema !== undefined) await checkPrivileges(config, database, node, schema, placements, findings)
  }
  return findings
}

/** The schema of each shard's primary, by the shard's name. */
async function readSchemas(
  config: Config,
  database: DatabaseConfig,
  facts: readonly NodeFacts[],
  findings: Finding[],
): Promise<ReadonlyMap<string, SchemaFacts>> {
  const schemas = new Map<string, SchemaFacts>()
  for (const shard of database.shards) {
    const primary = facts.find(node => node.shard === shard.name && !node.inRecovery)
    if (primary === undefined) continue
    const where = `${database.name}/${shard.name}/${primary.address}`
    try {
      const answer = await withConnection(
        config.server.tls,
        primary.address,
        shard.dbname,
        controlLogin(database),
        readSchema,
      )
      if ('result' in answer) schemas.set(shard.name, answer.result)
      else findings.push(failure(where, answer.failure.message, answer.failure.hint))
    } catch (error) {
      findings.push(
        failure(where, `the catalog cannot be read: ${error instanceof Error ? error.message : String(error)}`),
      )
    }
  }
  return schemas
}
