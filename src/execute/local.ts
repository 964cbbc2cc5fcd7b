/** Units that need no server: BEGIN and the end of a block that no server has, shardway.* settings, empty queries. */
import type { Plan } from '../../router/plan.ts'
import { errorOf as errorFrom } from '../errors/codes.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { nowUs } from '../observe/clock.ts'
import * as messages from '../protocol/backend-messages.ts'
import { IN_FAILED_TRANSACTION } from '../protocol/codes.ts'
import type { Executor } from './executor.ts'
import { aborted, inFailedBlock } from './failed-block.ts'
import {
  endsFailure,
  OP_BIND,
  OP_CLOSE_PORTAL,
  OP_CLOSE_STATEMENT,
  OP_DESCRIBE_PORTAL,
  OP_DESCRIBE_STATEMENT,
  OP_EXECUTE,
  OP_FUNCTION,
  OP_PARSE,
  OP_PREPARE,
  OP_QUERY,
  OP_SYNC,
  type Step,
  type Unit,
} from './unit.ts'

const TEXT_OID = 25

/** True when every step can be answered without a server. */
export function isLocal(executor: Executor, unit: Unit): boolean {
  const { state } = executor.transaction
  if (state === 'failed') return true
  const serverless = state === 'none' || state === 'virtual'
  // An error in a block that a server runs must reach that server as well.
  if (unit.error !== null && !serverless) return false
  return unit.steps.every(step => {
    if (step.op === OP_SYNC || step.op === OP_CLOSE_STATEMENT) return serverless || unit.steps.length > 1
    if (step.op === OP_CLOSE_PORTAL) return serverless
    return step.plan !== null && isLocalPlan(executor, step.plan, serverless, state === 'virtual')
  })
}

function isLocalPlan(executor: Executor, plan: Plan, serverless: boolean, virtual: boolean): boolean {
  switch (plan.command?.kind) {
    case 'shardway-set':
    case 'shardway-show':
      return true
    case 'begin':
      // A second BEGIN with options changes the block: a server must do it.
      return serverless && (!virtual || (plan.command.readOnly === null && plan.command.isolation === null))
    case 'commit':
    case 'rollback':
      return serverless
    case 'listen':
    case 'unlisten':
      return serverless && !virtual
    case 'deallocate':
      // What SQL-level PREPARE made lives on the server that the session is pinned to.
      if (!executor.links.kept) return serverless || executor.status !== IN_FAILED_TRANSACTION
      return plan.command.name !== null && executor.client.hasStatement(plan.command.name)
    default:
      return plan.tier === 'empty' && serverless
  }
}

/** Answers the unit; true when it ended with an error. */
export function answerLocally(executor: Executor, unit: Unit): boolean {
  const { output } = executor.client
  const { state } = executor.transaction
  let failed = false
  let answered = 0
  try {
    for (const step of unit.steps) {
      if (state === 'failed' && executor.transaction.state !== 'failed') refuseBehindEnd(executor, step)
      answerStep(executor, step)
      answered++
    }
    if (unit.error !== null) {
      throw executor.transaction.state === 'failed' ? inFailedBlock(unit.error, unit) : unit.error
    }
  } catch (error) {
    if (!(error instanceof ShardwayError)) throw error
    executor.client.database.stats.errors++
    output.frame(messages.errorOf(error))
    dropParses(executor.client, unit.steps.slice(answered))
    if (executor.transaction.state === 'virtual') executor.transaction.to('failed')
    failed = true
  }
  if (unit.complete) output.frame(messages.ready(executor.status))
  return failed
}

/** Statements are counted wherever they are answered; what ends outside a block was a transaction. */
export function countLocal(executor: Executor, unit: Unit): void {
  const { stats } = executor.client.database
  let ran = 0
  for (const { op, plan } of unit.steps) if ((op === OP_QUERY || op === OP_EXECUTE) && plan?.tier !== 'empty') ran++
  stats.queries += ran
  if (ran > 0 && unit.complete && executor.transaction.state === 'none') stats.transactions++
}

/** Parse and Bind messages that nobody will answer: their names stand for nothing. */
export function dropParses(client: Executor['client'], steps: readonly Step[]): void {
  for (const { op, statement } of steps) {
    if (statement === null) continue
    if (op === OP_PARSE || op === OP_PREPARE) client.parseDropped(statement)
    else if (op === OP_BIND) client.bindDropped(statement)
  }
}

function answerStep(executor: Executor, step: Step): void {
  const { output } = executor.client
  const { plan } = step
  // An empty query passes in a failed block; a Bind of one does not.
  const runs = step.op === OP_FUNCTION || (plan !== null && (plan.tier !== 'empty' || step.op === OP_BIND))
  if (executor.transaction.state === 'failed' && runs && !endsBlock(plan)) {
    if (plan?.command?.kind !== 'rollback-to') throw plan?.unread ?? aborted()
    // Postgres lets it through; a block that no server has holds no savepoint.
    if (endsFailure(step)) throw errorFrom('no_savepoint', { name: plan.command.savepoint })
  }
  // No cursor of SQL's either, in a block that no server has.
  if (plan === null && (step.op === OP_EXECUTE || step.op === OP_DESCRIBE_PORTAL)) throw noPortal(step)
  switch (step.op) {
    case OP_PARSE:
      output.frame(messages.parseComplete)
      return
    case OP_BIND:
      output.frame(messages.bindComplete)
      return
    case OP_DESCRIBE_STATEMENT:
      output.frame(messages.noParameters)
      return describe(executor, plan)
    case OP_DESCRIBE_PORTAL:
      return describe(executor, plan)
    case OP_CLOSE_STATEMENT:
    case OP_CLOSE_PORTAL:
      output.frame(messages.closeComplete)
      return
    case OP_QUERY:
      if (plan?.command?.kind === 'shardway-show') describe(executor, plan)
      if (plan !== null) answerCommand(executor, step, plan)
      return
    case OP_EXECUTE:
      if (plan !== null) answerCommand(executor, step, plan)
      return
    default:
  }
}

function noPortal({ op, buffer, start }: Step): ShardwayError {
  const nameStart = start + (op === OP_EXECUTE ? 5 : 6)
  const name = buffer.toString('utf8', nameStart, buffer.indexOf(0, nameStart))
  return new ShardwayError('no_portal', '34000', `portal "${name}" does not exist`)
}

function endsBlock(plan: Plan | null): boolean {
  return plan?.command?.kind === 'commit' || plan?.command?.kind === 'rollback'
}

function describe(executor: Executor, plan: Plan | null): void {
  const { output } = executor.client
  if (plan?.command?.kind !== 'shardway-show') {
    output.frame(messages.noData)
    return
  }
  output.frame(messages.rowDescription([{ name: `shardway.${plan.command.name}`, oid: TEXT_OID, size: -1 }]))
}

function warn(executor: Executor, sqlstate: string, message: string): void {
  executor.client.output.frame(messages.noticeResponse({ severity: 'WARNING', sqlstate, message }))
}

function answerCommand(executor: Executor, step: Step, plan: Plan): void {
  const { transaction, client } = executor
  const { command } = plan
  if (command === null) {
    client.output.frame(messages.emptyQueryResponse)
    return
  }
  switch (command.kind) {
    case 'begin':
      if (transaction.state === 'virtual') warn(executor, '25001', 'there is already a transaction in progress')
      else startBlock(executor, textOf(step), command.readOnly ?? false, command.isolation ?? '')
      client.output.frame(
        messages.commandComplete(/\bstart\s+transaction\b/i.test(textOf(step)) ? 'START TRANSACTION' : 'BEGIN'),
      )
      return
    case 'commit':
    case 'rollback':
      return endBlock(executor, command.kind, command.chain)
    case 'deallocate':
      client.deallocate(command.name)
      client.output.frame(messages.commandComplete(command.name === null ? 'DEALLOCATE ALL' : 'DEALLOCATE'))
      return
    case 'listen':
      client.output.frame(messages.commandComplete('LISTEN'))
      return
    case 'unlisten':
      executor.notifications.unlisten(command.channel)
      client.output.frame(messages.commandComplete('UNLISTEN'))
      return
    case 'shardway-set':
      if (command.local && transaction.state === 'none') {
        warn(executor, '25P01', 'SET LOCAL can only be used in transaction blocks')
      } else client.context.setOption(command.name, command.value, command.local)
      client.output.frame(messages.commandComplete(command.value === null ? 'RESET' : 'SET'))
      return
    case 'shardway-show':
      client.output.frame(messages.dataRow([client.context.option(command.name)]))
      client.output.frame(messages.commandComplete('SHOW'))
      return
    default:
  }
}

function startBlock({ transaction, client }: Executor, begin: string, readOnly: boolean, isolation: string): void {
  transaction.start(begin, readOnly, isolation, nowUs(), client.context.snapshot())
  client.context.blockBegan()
}

function endBlock(executor: Executor, kind: 'commit' | 'rollback', chain: boolean): void {
  const { transaction, client } = executor
  const word = kind === 'commit' && transaction.state !== 'failed' ? 'COMMIT' : 'ROLLBACK'
  if (transaction.state === 'none') {
    if (chain) {
      throw new ShardwayError('no_transaction', '25P01', `${word} AND CHAIN can only be used in transaction blocks`)
    }
    warn(executor, '25P01', 'there is no transaction in progress')
  }
  const { begin, readOnly, isolation, outside } = transaction
  // Of a block that no server has, nothing has run.
  if (outside !== null) client.context.restore(outside)
  transaction.to('none')
  client.context.blockEnded(word === 'COMMIT')
  if (chain) startBlock(executor, begin, readOnly, isolation)
  client.output.frame(messages.commandComplete(word))
}

/** Only in a block that an error of the proxy's own has failed is a unit answered here that may need a server. */
function refuseBehindEnd(executor: Executor, { plan }: Step): void {
  const { state } = executor.transaction
  if (plan === null || plan.tier === 'empty') return
  // To listen takes a way of its own, before anything is answered.
  if (plan.command?.kind !== 'listen' && isLocalPlan(executor, plan, true, state === 'virtual')) return
  throw errorFrom(
    'not_supported',
    { what: 'a statement behind the end of a failed block, in the same batch' },
    { hint: 'Send Sync after ROLLBACK.' },
  )
}

function textOf(step: Step): string {
  if (step.op === OP_QUERY) return step.buffer.toString('utf8', step.start + 5, step.end - 1)
  return step.statement?.rest.toString('utf8', 0, step.statement.textLength) ?? ''
}
