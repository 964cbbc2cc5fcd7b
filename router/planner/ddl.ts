import type { CommentStmt, DropStmt, Node, RangeVar } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { checkCreated, isTemporary } from './created.ts'
import { resolveName, strayChild, unseenDeclared } from './names.ts'
import { needsShard } from './problems.ts'
import { emptyReach, factsReach, relationReach } from './reach.ts'
import { writeRelation } from './uses.ts'
import { collectFacts, type Facts, isAst, names } from './walk.ts'

/** Statements that name relations and change only those; everything else in the language is refused over several shards. */
const ABOUT_RELATIONS: ReadonlySet<string> = new Set([
  'CreateStmt',
  'IndexStmt',
  'AlterTableStmt',
  'RenameStmt',
  'AlterObjectSchemaStmt',
  'CreateSeqStmt',
  'AlterSeqStmt',
  'ViewStmt',
  'CreateTableAsStmt',
  'RefreshMatViewStmt',
  'TruncateStmt',
  'LockStmt',
  'VacuumStmt',
  'ClusterStmt',
  'ReindexStmt',
  'GrantStmt',
  'CreateTrigStmt',
  'RuleStmt',
  'CreatePolicyStmt',
  'AlterPolicyStmt',
  'CreateStatsStmt',
  'DropStmt',
  'CommentStmt',
])

/** These change no definitions. */
const UPKEEP: ReadonlySet<string> = new Set([
  'TruncateStmt',
  'LockStmt',
  'VacuumStmt',
  'ClusterStmt',
  'ReindexStmt',
  'CheckPointStmt',
])

/** Fields of statements that make a relation, and where the new name stands. */
const CREATES: ReadonlyMap<string, string> = new Map([
  ['CreateStmt', 'relation'],
  ['CreateForeignTableStmt', 'relation'],
  ['CreateSeqStmt', 'sequence'],
  ['ViewStmt', 'view'],
])

export function planDefinition(a: Analysis, statement: Node, env: Env): void {
  const tag = Object.keys(statement)[0] ?? ''
  a.exactOnly = true
  a.writes = true
  a.touchesPins = true
  if (!ABOUT_RELATIONS.has(tag)) a.problem(needsShard(titleOf(tag)))
  const body: unknown = Object.values(statement)[0]
  const created = isAst(body) ? createdName(tag, body) : null
  const temporary = created !== null && isTemporary(created)
  if (created !== null) checkCreated(a, created, env)
  if (!temporary && !UPKEEP.has(tag)) {
    a.changesCatalog = true
    // Standbys replay definitions later: nothing is read there until they have.
    a.useAnything(true)
  }
  if ('TruncateStmt' in statement) truncate(a, statement.TruncateStmt.relations ?? [], env)
  a.needsDefault = true
  a.defines = true
  const facts = collectFacts(statement)
  for (const range of facts.relations) a.visited.add(range)
  if (!a.several) return
  checkRanges(a, facts, created, env)
  checkNamed(a, statement, env)
  checkReach(a, facts, titleOf(tag))
}

function truncate(a: Analysis, relations: readonly Node[], env: Env): void {
  for (const node of relations) {
    if (!('RangeVar' in node)) continue
    a.visited.add(node.RangeVar)
    const resolved = resolveName(a, node.RangeVar.schemaname, node.RangeVar.relname ?? '', env.names)
    if ('relation' in resolved) writeRelation(a, resolved.relation, false, true)
    else if (resolved.kind === 'unknown') a.useAnything(true)
  }
}

function createdName(tag: string, body: { readonly [key: string]: unknown }): RangeVar | null {
  const field = CREATES.get(tag)
  const direct = field === undefined ? undefined : body[field]
  if (isAst(direct)) return isAst(direct['relation']) ? direct['relation'] : direct
  if (isAst(body['base']) && isAst(body['base']['relation'])) return body['base']['relation']
  const into = body['into']
  return isAst(into) && isAst(into['rel']) ? into['rel'] : null
}

/** CreateTableAsStmt → CREATE TABLE AS … is what people call it; the tag is near enough for the rest. */
function titleOf(tag: string): string {
  const words = tag.replace(/Stmt$/, '').replace(/([a-z])([A-Z])/g, '$1 $2')
  return `the statement "${words.toUpperCase()}"`
}

function checkPlace(a: Analysis, schema: string | undefined, name: string, env: Env, position: number): void {
  const resolved = resolveName(a, schema, name, env.names)
  if (resolved.kind === 'unknown' && unseenDeclared(a, schema, name, env.names) !== null) {
    // Where it is made shard by shard, the hint says on which of them this runs.
    a.problem(needsShard(`this statement on declared table "${name}"`, position))
  }
  if (!('relation' in resolved)) return
  const { relation } = resolved
  const { kind } = relation.placement
  if (kind !== 'local') a.problem(needsShard(`this statement on ${kind} table "${relation.name}"`, position))
  else if (strayChild(a, relation) !== null)
    a.problem(needsShard(`this statement on table "${relation.name}"`, position))
}

function checkRanges(a: Analysis, facts: Facts, created: RangeVar | null, env: Env): void {
  for (const range of facts.relations) {
    if (range === created) continue
    const schema = typeof range['schemaname'] === 'string' ? range['schemaname'] : undefined
    const position = typeof range['location'] === 'number' ? range['location'] : -1
    checkPlace(a, schema, String(range['relname']), env, position)
    checkView(a, schema, String(range['relname']), env, position)
  }
}

/** A view or materialized view whose definition reaches placed tables. */
function checkView(a: Analysis, schema: string | undefined, name: string, env: Env, position: number): void {
  const resolved = resolveName(a, schema, name, env.names)
  if (!('relation' in resolved) || (resolved.relation.kind !== 'v' && resolved.relation.kind !== 'm')) return
  const reach = relationReach(a.derived, resolved.relation)
  const placed = [...reach.reads].some(id => a.derived.byId.get(id)?.placement.kind !== 'local')
  if (placed || reach.dynamic) a.problem(needsShard(`this statement on view "${name}" over sharded tables`, position))
}

/** Code that the statement stores or runs: view queries, defaults, checks, trigger functions. */
function checkReach(a: Analysis, facts: Facts, title: string): void {
  const reach = emptyReach()
  factsReach(a.derived, { ...facts, relations: [] }, reach)
  const placed = [...reach.reads].some(id => a.derived.byId.get(id)?.placement.kind !== 'local')
  if (placed || reach.dynamic || reach.refused) {
    a.problem(needsShard(`${title} with a function that is not known to be local`))
  }
}

/** Objects that are named by lists of strings instead of RangeVars, and forms that name nothing at all. */
function checkNamed(a: Analysis, statement: Node, env: Env): void {
  if ('DropStmt' in statement) checkDrop(a, statement.DropStmt, env)
  else if ('CreateSeqStmt' in statement) checkOwner(a, statement.CreateSeqStmt.options, env)
  else if ('AlterSeqStmt' in statement) checkOwner(a, statement.AlterSeqStmt.options, env)
  else if ('CommentStmt' in statement) checkComment(a, statement.CommentStmt, env)
  else if ('VacuumStmt' in statement && (statement.VacuumStmt.rels?.length ?? 0) === 0) {
    a.problem(needsShard('VACUUM or ANALYZE of all tables'))
  } else if ('ClusterStmt' in statement && statement.ClusterStmt.relation === undefined) {
    a.problem(needsShard('CLUSTER of all tables'))
  } else if ('ReindexStmt' in statement) {
    const { kind, relation } = statement.ReindexStmt
    if (relation === undefined) a.problem(needsShard('REINDEX of a schema or database'))
    else if (kind === 'REINDEX_OBJECT_INDEX') checkIndex(a, relation.schemaname, relation.relname ?? '', env)
  } else if ('GrantStmt' in statement) {
    const { targtype, objtype } = statement.GrantStmt
    const onTables = objtype === 'OBJECT_TABLE' || objtype === 'OBJECT_SEQUENCE' || objtype === 'OBJECT_COLUMN'
    if (targtype !== 'ACL_TARGET_OBJECT' || !onTables)
      a.problem(needsShard('GRANT or REVOKE on other objects than tables'))
  } else if ('RenameStmt' in statement) {
    if (statement.RenameStmt.relation === undefined) a.problem(needsShard('this ALTER … RENAME'))
    else if (statement.RenameStmt.renameType === 'OBJECT_TABLE')
      checkNewName(a, statement.RenameStmt.newname ?? '', env)
    else if (statement.RenameStmt.renameType === 'OBJECT_INDEX') checkIndexRange(a, statement.RenameStmt.relation, env)
  } else if ('AlterObjectSchemaStmt' in statement && statement.AlterObjectSchemaStmt.relation === undefined) {
    a.problem(needsShard('this ALTER … SET SCHEMA'))
  } else if ('AlterTableStmt' in statement && statement.AlterTableStmt.objtype === 'OBJECT_INDEX') {
    if (statement.AlterTableStmt.relation !== undefined) checkIndexRange(a, statement.AlterTableStmt.relation, env)
  }
}

/** OWNED BY table.column */
function checkOwner(a: Analysis, options: readonly Node[] | undefined, env: Env): void {
  for (const option of options ?? []) {
    if (!('DefElem' in option) || option.DefElem.defname !== 'owned_by') continue
    checkPath(a, namePath(option.DefElem.arg), 'OBJECT_COLUMN', env)
  }
}

function checkNewName(a: Analysis, name: string, env: Env): void {
  const taken = env.names.searchPath.some(schema => a.derived.declared.has(`${schema}.${name}`))
  if (taken) a.problem(needsShard(`renaming a table to declared name "${name}"`))
}

function checkIndexRange(a: Analysis, range: RangeVar, env: Env): void {
  checkIndex(a, range.schemaname, range.relname ?? '', env)
}

/** An index lies where its table does; one whose table is not known may belong to any. */
function checkIndex(a: Analysis, schema: string | undefined, name: string, env: Env): void {
  const resolved = resolveName(a, schema, name, env.names)
  const table = 'relation' in resolved ? a.derived.byId.get(resolved.relation.table ?? 0) : undefined
  if (table === undefined) a.problem(needsShard(`this statement on index "${name}"`))
  else checkPlace(a, table.schema, table.name, env, -1)
}

const DROPPED_BY_NAME = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
])
/** Named by their table with their own name last. */
const OF_A_TABLE = new Set(['OBJECT_TRIGGER', 'OBJECT_RULE', 'OBJECT_POLICY', 'OBJECT_TABCONSTRAINT', 'OBJECT_COLUMN'])

function namePath(object: Node | undefined): string[] {
  return object !== undefined && 'List' in object ? names(object.List.items) : []
}

function checkPath(a: Analysis, path: readonly string[], type: string, env: Env): void {
  const table = OF_A_TABLE.has(type) ? path.slice(0, -1) : path
  const name = table.at(-1) ?? ''
  const schema = table.at(-2)
  if (type === 'OBJECT_INDEX') checkIndex(a, schema, name, env)
  else if (DROPPED_BY_NAME.has(type) || OF_A_TABLE.has(type)) checkPlace(a, schema, name, env, -1)
  else a.problem(needsShard('this statement on such an object'))
}

function checkDrop(a: Analysis, drop: DropStmt, env: Env): void {
  const type = drop.removeType ?? ''
  const cascades = drop.behavior === 'DROP_CASCADE'
  if (cascades && type === 'OBJECT_SEQUENCE') a.problem(needsShard('DROP SEQUENCE … CASCADE'))
  for (const object of drop.objects ?? []) {
    const path = namePath(object)
    checkPath(a, path, type, env)
    const resolved = resolveName(a, path.at(-2), path.at(-1) ?? '', env.names)
    if (!cascades || !('relation' in resolved)) continue
    const placed = resolved.relation.referencedBy.some(id => a.derived.byId.get(id)?.placement.kind !== 'local')
    if (placed) a.problem(needsShard(`DROP … CASCADE of table "${resolved.relation.name}"`))
  }
}

function checkComment(a: Analysis, comment: CommentStmt, env: Env): void {
  checkPath(a, namePath(comment.object), comment.objtype ?? '', env)
}
