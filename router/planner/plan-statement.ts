import type { Node } from '@pgsql/types'
import { ShardwayError } from '../../src/errors/shardway-error.ts'
import type { Plan, SessionCommand } from '../plan.ts'
import { Analysis } from './analysis.ts'
import { isDefinition, mayReadReplica, planOne } from './commands.ts'
import { decide, touchesOf } from './decide.ts'
import { parseStatements } from './parse.ts'
import { isPreparable } from './preparable.ts'
import { firm } from './problems.ts'
import { applyFacts } from './routines.ts'
import { analyzeSelect } from './select.ts'
import type { PlanInput, PlanOutput } from './types.ts'
import { collectFacts, type Facts } from './walk.ts'
import { analyzeWrite } from './write.ts'

/**
 * The plan of a statement text. Pure: no I/O and no clock. Throws ShardwayError 42601 for what does not parse; whatever is
 * not supported comes back as a plan with a refusal. `loadParser` must have run.
 */
export function planStatement(input: PlanInput): PlanOutput {
  const statements = parseStatements(input.text)
  if (statements.length === 0) return { plan: emptyPlan(input.hints), exactOnly: true }
  try {
    return plan(new Analysis(input, { select: analyzeSelect, write: analyzeWrite }), statements)
  } catch (error) {
    // Expressions nested by the thousands: Postgres has max_stack_depth for them.
    if (!(error instanceof RangeError)) throw error
    throw new ShardwayError('too_complex', '54001', 'the statement is nested too deeply', { cause: error })
  }
}

function plan(a: Analysis, statements: readonly Node[]): PlanOutput {
  const facts = statements.map(statement => collectFacts(statement))
  a.parameters = countParameters(facts)
  const alone = statements.length === 1
  a.alone = alone
  const commands: (SessionCommand | null)[] = []
  for (const [i, statement] of statements.entries()) commands.push(planEach(a, statement, facts[i], alone))
  const only = alone ? (commands[0] ?? null) : null
  const isCommand = commands.every(command => command !== null && command.kind !== 'copy-in')
  const { target, refusal } = decide(a, isCommand)
  const replicaSafe = !isCommand && !a.writes && !a.unsafe && statements.every(mayReadReplica)
  const made: Plan = {
    statements: statements.length,
    command: only,
    commands: [...commands.filter(command => command !== null), ...a.sets],
    target,
    refusal,
    access: a.writes ? 'write' : 'read',
    replicaSafe: replicaSafe && refusal === null,
    touches: touchesOf(a, target),
    pin: a.pin,
    movable: target.kind === 'any' && replicaSafe && refusal === null && facts.every(isTimeless),
    touchesPins: a.touchesPins,
    changesCatalog: a.changesCatalog,
    mixed: !alone && commands.some(command => command !== null && command.kind !== 'copy-in'),
    hints: a.input.hints,
    parameters: Math.max(0, ...a.parameters.keys()),
    preparable:
      replicaSafe &&
      a.sets.length === 0 &&
      refusal === null &&
      a.pin === null &&
      alone &&
      isPreparable(a, statements[0]),
    parse: null,
    tier: refusal !== null ? 'refused' : isCommand ? 'session' : 'single',
  }
  return { plan: made, exactOnly: a.exactOnly || !alone || holdsConstant(made, a.input.hints) }
}

function planEach(a: Analysis, statement: Node, facts: Facts | undefined, alone: boolean): SessionCommand | null {
  const env = a.rootEnv()
  const command = planOne(a, statement, env, alone)
  if (facts === undefined) return command
  if (!isDefinition(statement)) applyFacts(a, facts, env.names.searchPath)
  // A relation in a place that nothing above looks at could be sharded: whatever it is, its key was not checked.
  if (facts.relations.some(range => !a.visited.has(range))) {
    a.useAnything(true)
    a.problem(firm('a table at this place of a statement', 'Write it as a plain subquery with the shard key.'))
  }
  return command
}

/** Nothing in it could be asked again in the same transaction and answer otherwise elsewhere, as now() would. */
function isTimeless(facts: Facts): boolean {
  return facts.functions.length === 0 && !facts.moments
}

function countParameters(facts: readonly Facts[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const { parameters } of facts) {
    for (const [number, count] of parameters) counts.set(number, (counts.get(number) ?? 0) + count)
  }
  return counts
}

/** A key that was read from this very text serves no other; a hint's key is part of the template. */
function holdsConstant(made: Plan, hints: ReadonlyMap<string, string>): boolean {
  const { target } = made
  const keys = target.kind === 'keys' ? target.keys : target.kind === 'shard' ? (target.keys ?? []) : []
  const constants = keys.filter(key => key.from === 'constant').length
  return constants > (target.kind === 'keys' && hints.has('key') ? 1 : 0)
}

function emptyPlan(hints: ReadonlyMap<string, string>): Plan {
  return {
    statements: 0,
    command: null,
    commands: [],
    target: { kind: 'any' },
    refusal: null,
    access: 'read',
    replicaSafe: false,
    touches: [],
    pin: null,
    movable: false,
    touchesPins: false,
    changesCatalog: false,
    mixed: false,
    hints,
    parameters: 0,
    preparable: false,
    parse: null,
    tier: 'empty',
  }
}
