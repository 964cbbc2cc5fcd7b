/** Reads the snapshot of catalog.ts from a live server, 15 to 18, in one transaction and a handful of queries. */
import type { ClientBase } from 'pg'
import type { Catalog } from './catalog.ts'
import { loadBehind } from './load-behind.ts'
import { loadRelations, placeRelations } from './load-relations.ts'
import { loadRoutines } from './load-routines.ts'
import { qualifiedName, type TableDeclaration } from './placement.ts'
import { loadSearchPath } from './search-path.ts'

export interface LoadOptions {
  /** The database's name in the configuration. */
  readonly database: string
  readonly version: number
  readonly tables: readonly TableDeclaration[]
  /** `[[databases.functions]]`; names without a schema are in `public`. */
  readonly functions?: ReadonlyArray<{ readonly name: string; readonly local: boolean }>
  /** Whose search_path counts; absent: the database's, without "$user". */
  readonly serverUser?: string | null
}

export interface LoadedCatalog {
  /** `oids` is empty: it comes from the other shards (`oids.ts`). */
  readonly catalog: Catalog
  /** Declarations that cannot be served as they are, in words for `check`. */
  readonly problems: readonly string[]
  /** Declared tables that do not exist, `schema.name`. */
  readonly missing: readonly string[]
}

/** The client must not be in a transaction. Needs the rights of `control_user`. */
export async function loadCatalog(client: ClientBase, options: LoadOptions): Promise<LoadedCatalog> {
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    // Definitions then come with every name outside pg_catalog qualified.
    await client.query("SELECT set_config('search_path', '', true), set_config('quote_all_identifiers', 'off', true)")
    const loaded = await read(client, options)
    await client.query('COMMIT')
    return loaded
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

interface ServerRow {
  readonly version: string
  readonly encoding: string
}

async function read(client: ClientBase, options: LoadOptions): Promise<LoadedCatalog> {
  const server = await client.query<ServerRow>(
    `SELECT current_setting('server_version_num') AS version, pg_encoding_to_char(encoding) AS encoding
     FROM pg_database WHERE datname = current_database()`,
  )
  const { version = '0', encoding = '' } = server.rows[0] ?? {}
  const schemas = await client.query<{ readonly name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp_|toast_temp_)' ORDER BY nspname`,
  )
  const searchPath = await loadSearchPath(client, options.serverUser ?? null)
  const raw = await loadRelations(client)
  const { relations, problems, missing } = placeRelations(raw, options.tables)
  const routines = await loadRoutines(client)
  const behind = await loadBehind(client)
  if (encoding !== 'UTF8') problems.unshift(`the encoding of the database is ${encoding}: only UTF8 can be sharded`)
  const catalog: Catalog = {
    database: options.database,
    version: options.version,
    serverVersion: Number(version),
    encoding,
    searchPath,
    relations,
    routines,
    operators: behind.operators,
    types: behind.types,
    volatileBuiltins: behind.volatileBuiltins,
    schemas: schemas.rows.map(row => row.name),
    oids: {},
    localRoutines: (options.functions ?? []).filter(each => each.local).map(each => qualifiedName(each.name)),
    declared: options.tables.map(each => qualifiedName(each.name)),
  }
  return { catalog, problems, missing }
}
