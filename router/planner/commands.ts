import type { CallStmt, CopyStmt, DoStmt, ExplainStmt, Node } from '@pgsql/types'
import type { SessionCommand } from '../plan.ts'
import { shardwayName } from '../options.ts'
import type { Analysis, Env } from './analysis.ts'
import { planCopy } from './copy.ts'
import { planDefinition } from './ddl.ts'
import { planExecute, planPrepare } from './prepare.ts'
import { firm, needsShard, notAlone } from './problems.ts'
import { bodyReach, emptyReach } from './reach.ts'
import { applyReach, isDeclaredLocal } from './routines.ts'
import { changesNames, checkOwn, planSet } from './settings.ts'
import { planTransaction } from './transactions.ts'
import { names } from './walk.ts'

const ONE_SESSION = 'It lives in one server’s session, and the session has one on each shard.'

/** Kinds that a standby may run, when nothing in them forbids it. */
const READS: ReadonlySet<string> = new Set(['SelectStmt', 'ExplainStmt', 'CopyStmt'])

export function mayReadReplica(statement: Node): boolean {
  const [tag] = Object.keys(statement)
  return tag !== undefined && READS.has(tag)
}

/** True for statements whose functions are looked at elsewhere: definitions store them, they do not call them. */
export function isDefinition(statement: Node): boolean {
  const tag = Object.keys(statement)[0] ?? ''
  if (tag === 'CreateTableAsStmt' || tag === 'RefreshMatViewStmt') return false
  return !KNOWN.has(tag)
}

const KNOWN: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CopyStmt',
  'ExplainStmt',
  'DeclareCursorStmt',
  'FetchStmt',
  'ClosePortalStmt',
  'TransactionStmt',
  'VariableSetStmt',
  'VariableShowStmt',
  'ConstraintsSetStmt',
  'DiscardStmt',
  'PrepareStmt',
  'ExecuteStmt',
  'DeallocateStmt',
  'ListenStmt',
  'UnlistenStmt',
  'NotifyStmt',
  'LoadStmt',
  'DoStmt',
  'CallStmt',
])

/** One statement of the text. `alone`: there is no other. */
export function planOne(a: Analysis, statement: Node, env: Env, alone: boolean): SessionCommand | null {
  if (
    'SelectStmt' in statement ||
    'InsertStmt' in statement ||
    'UpdateStmt' in statement ||
    'DeleteStmt' in statement
  ) {
    a.query(statement, env, false)
    return null
  }
  if ('MergeStmt' in statement) {
    a.query(statement, env, false)
    return null
  }
  if ('TransactionStmt' in statement) return planTransaction(a, statement.TransactionStmt)
  if ('ExplainStmt' in statement) return planExplain(a, statement.ExplainStmt, env)
  if ('CopyStmt' in statement) return copyStatement(a, statement.CopyStmt, env)
  a.exactOnly = true
  a.unsafe = true
  return planSession(a, statement, env, alone)
}

function copyStatement(a: Analysis, copy: CopyStmt, env: Env): SessionCommand | null {
  a.exactOnly = true
  if (copy.query !== undefined) a.query(copy.query, env, false)
  return planCopy(a, copy, env)
}

function planSession(a: Analysis, statement: Node, env: Env, alone: boolean): SessionCommand | null {
  if ('VariableSetStmt' in statement) {
    const command = planSet(a, statement.VariableSetStmt, alone)
    if (command.kind === 'shardway-set' && !alone) a.problem(notAlone(`SET shardway.${command.name}`))
    return command
  }
  if ('ConstraintsSetStmt' in statement) return { kind: 'set-transaction', name: '' }
  if ('VariableShowStmt' in statement) return planShow(a, (statement.VariableShowStmt.name ?? '').toLowerCase(), alone)
  if ('DiscardStmt' in statement) {
    a.touchesPins = true
    if (statement.DiscardStmt.target !== undefined && statement.DiscardStmt.target !== 'DISCARD_ALL') return null
    if (!alone) changesNames(a, 'DISCARD ALL')
    return { kind: 'discard-all' }
  }
  if ('DeclareCursorStmt' in statement) {
    const { query, options } = statement.DeclareCursorStmt
    if (query !== undefined) a.query(query, env, false)
    // CURSOR_OPT_HOLD of parsenodes.h
    if (((options ?? 0) & 0x20) !== 0) {
      a.pinned('cursor with hold')
      a.needsTables()
    }
    return null
  }
  if ('FetchStmt' in statement) return null
  if ('ClosePortalStmt' in statement) {
    a.touchesPins = true
    return null
  }
  if ('DoStmt' in statement) {
    planDo(a, statement.DoStmt)
    return null
  }
  if ('CallStmt' in statement) {
    planCall(a, statement.CallStmt, env)
    return null
  }
  if ('DeallocateStmt' in statement) {
    const { isall, name } = statement.DeallocateStmt
    a.touchesPins = true
    if (!alone) a.problem(firm('DEALLOCATE among several statements', 'Send it as a statement of its own.'))
    return { kind: 'deallocate', name: isall === true ? null : (name ?? '') }
  }
  if ('PrepareStmt' in statement) return planPrepare(a, statement.PrepareStmt)
  if ('ExecuteStmt' in statement) return planExecute(a, statement.ExecuteStmt)
  const made = 'CreateTableAsStmt' in statement ? statement.CreateTableAsStmt.query : undefined
  if (a.several && made !== undefined && 'ExecuteStmt' in made) {
    a.problem(firm('CREATE TABLE AS EXECUTE', 'Write the statement itself behind AS.'))
  }
  if (a.several && ('ListenStmt' in statement || 'UnlistenStmt' in statement)) return planListen(a, statement, alone)
  if (!planStateful(a, statement)) planDefinition(a, statement, env)
  return null
}

/** With one shard the session keeps its server for it; with several the worker listens for it on all of them. */
function planListen(a: Analysis, statement: Node, alone: boolean): SessionCommand | null {
  // Only so that a batch with it is looked at before it is sent: it never reaches a server.
  a.pinned('listen')
  if (!alone) a.problem(firm('LISTEN or UNLISTEN among several statements', 'Send it as a statement of its own.'))
  if ('ListenStmt' in statement) return { kind: 'listen', channel: statement.ListenStmt.conditionname ?? '' }
  return 'UnlistenStmt' in statement
    ? { kind: 'unlisten', channel: statement.UnlistenStmt.conditionname ?? null }
    : null
}

/** Statements whose effect outlives them in the session. False for any other. */
function planStateful(a: Analysis, statement: Node): boolean {
  if ('ListenStmt' in statement) {
    a.pinned('listen')
  } else if ('UnlistenStmt' in statement) {
    a.touchesPins = true
  } else if ('NotifyStmt' in statement) {
    a.writes = true
    a.notifies = true
  } else if ('LoadStmt' in statement) {
    sessionBound(a, 'LOAD', 'load')
  } else {
    return false
  }
  return true
}

function sessionBound(a: Analysis, what: string, reason: string, hint: string = ONE_SESSION): void {
  a.pinned(reason)
  a.problem(firm(what, hint))
}

function planShow(a: Analysis, name: string, alone: boolean): SessionCommand | null {
  const own = shardwayName(name)
  if (own === null) return null
  checkOwn(a, own, null)
  if (!alone) a.problem(notAlone(`SHOW ${name}`))
  return { kind: 'shardway-show', name: own }
}

function isOn(option: Node | undefined): boolean {
  if (option === undefined) return true
  const text = JSON.stringify(option).toLowerCase()
  return !/"(?:off|false|no|0)"/.test(text) && !/"ival":\{\}/.test(text) && !/"boolval":\{\}/.test(text)
}

function planExplain(a: Analysis, explain: ExplainStmt, env: Env): SessionCommand | null {
  a.exactOnly = true
  const { query } = explain
  if (query === undefined) return null
  const analyze = (explain.options ?? []).some(
    node => 'DefElem' in node && node.DefElem.defname === 'analyze' && isOn(node.DefElem.arg),
  )
  const before = { writes: a.writes, changesCatalog: a.changesCatalog, pin: a.pin, uses: a.uses.length }
  planOne(a, query, env, true)
  if (a.several && 'ExecuteStmt' in query) {
    a.problem(firm('EXPLAIN EXECUTE', 'Explain the statement itself, with its values.'))
  }
  if (analyze) {
    a.unsafe = true
    return null
  }
  // Only planned: nothing is written, but a standby would not plan a write.
  if (a.writes && !before.writes) a.unsafe = true
  a.writes = before.writes
  a.changesCatalog = before.changesCatalog
  a.pin = before.pin
  for (const use of a.uses.splice(before.uses)) a.uses.push({ ...use, write: false })
  return null
}

function planDo(a: Analysis, statement: DoStmt): void {
  a.writes = true
  a.problem(needsShard('DO'))
  let body = ''
  let language = 'plpgsql'
  for (const node of statement.args ?? []) {
    if (!('DefElem' in node) || node.DefElem.arg === undefined || !('String' in node.DefElem.arg)) continue
    if (node.DefElem.defname === 'as') body = node.DefElem.arg.String.sval ?? ''
    else if (node.DefElem.defname === 'language') language = (node.DefElem.arg.String.sval ?? '').toLowerCase()
  }
  const reach = emptyReach()
  if (language === 'plpgsql') bodyReach(a.derived, body, reach)
  else reach.dynamic = reach.mayWrite = true
  applyReach(a, reach, 0)
}

/** A procedure may commit and begin: only one that is declared local runs beside other shards. */
function planCall(a: Analysis, call: CallStmt, env: Env): void {
  a.writes = true
  const path = names(call.funccall?.funcname)
  const schemas = path.length > 1 ? path.slice(-2, -1) : env.names.searchPath
  const routines = a.catalog.routines(path.at(-1) ?? '').filter(each => schemas.includes(each.schema))
  if (routines.length === 0 || !routines.every(each => isDeclaredLocal(a, each))) a.problem(needsShard('CALL'))
}
