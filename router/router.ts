/**
 * SQL in, plan out, one instance for each database of a worker. Exact text first, then the template that the lexer makes,
 * then the real parser; and for each execution, keys → shard.
 */
import { CatalogIndex } from '../src/catalog/catalog-index.ts'
import type { Catalog } from '../src/catalog/catalog.ts'
import { errorOf } from '../src/errors/codes.ts'
import { ShardwayError } from '../src/errors/shardway-error.ts'
import type { BindView } from '../src/protocol/bind-view.ts'
import { type DatabaseTopology, slotTable } from '../src/topology/topology.ts'
import { hintsOf, NO_HINTS } from './hints.ts'
import { Lexer } from './lexer.ts'
import type { Literals } from './literals.ts'
import type { Plan } from './plan.ts'
import { type ContextPlans, PlanCache } from './plan-cache.ts'
import { keysOf, refuseNullKey } from './plan-keys.ts'
import type { NameContext, PlanInput, PlanOutput } from './planner/types.ts'
import { unreadPlan } from './opaque-plan.ts'
import { KeyResolver } from './resolve.ts'
import { templateParse } from './template-parse.ts'
import { characters, templatePosition, textPosition } from './template-position.ts'

/** Any shard may run it: the session's, or the one already open. */
export const ANY_SHARD = -1

const BACKSLASH = 0x5c

/** Longer texts are planned each time: they are loads of data, not statements that come back. */
const MAX_CACHED_TEXT_BYTES = 65_536

/** What of a session decides how names are read. Compared by identity first: keep one object while nothing changes. */
export type PlanContext = NameContext

export type Planner = (input: PlanInput) => PlanOutput

export interface RouterOptions {
  readonly catalog: Catalog
  readonly topology: DatabaseTopology
  /** Bound of the plan cache. */
  readonly planBytes: number
  readonly planner: Planner
}

export class Router {
  hits = 0
  misses = 0
  /** After resolve(): false when some key gave no slot (NULL, or a value that the server will refuse). */
  slotsComplete = true
  readonly #planner: Planner
  readonly #plans: PlanCache
  readonly #lexer = new Lexer()
  readonly #resolver = new KeyResolver()
  #contexts = new WeakMap<PlanContext, ContextPlans>()
  #lastContext: PlanContext | null = null
  #lastPlans: ContextPlans | null = null
  /** Where refusals of plans that serve a template point to, counted in the template. */
  #refusalPositions = new WeakMap<Plan, number>()
  #catalog: CatalogIndex
  #topology: DatabaseTopology
  #shardOfSlot: Uint16Array
  #defaultShard: number

  constructor(options: RouterOptions) {
    this.#planner = options.planner
    this.#plans = new PlanCache(options.planBytes)
    this.#catalog = new CatalogIndex(options.catalog)
    this.#topology = options.topology
    this.#shardOfSlot = slotTable(options.topology)
    this.#defaultShard = options.topology.shardNames.indexOf(options.topology.defaultShard)
  }

  /** Forgets all plans. */
  update(catalog: Catalog, topology: DatabaseTopology): void {
    if (catalog !== this.#catalog.catalog) this.#catalog = new CatalogIndex(catalog)
    this.#topology = topology
    this.#shardOfSlot = slotTable(topology)
    this.#defaultShard = topology.shardNames.indexOf(topology.defaultShard)
    this.#plans.clear()
    this.#contexts = new WeakMap()
    this.#lastContext = null
    this.#lastPlans = null
  }

  get catalog(): CatalogIndex {
    return this.#catalog
  }

  /** Literals of the text last given to find(); reused. */
  get literals(): Literals {
    return this.#lexer.literals
  }

  /** Literals of a text that was found by its template, also when others were found since; reused. */
  literalsOf(text: Buffer, start: number, end: number): Literals {
    const { literals } = this.#lexer
    if (literals.bytes !== text || literals.base !== start) this.#lexer.lex(text, start, end)
    return literals
  }

  /** Slots of the keys of the last resolve(); reused. */
  get slots(): readonly number[] {
    return this.#resolver.slots
  }

  get shardCount(): number {
    return this.#topology.shardNames.length
  }

  get planCount(): number {
    return this.#plans.count
  }

  get planBytes(): number {
    return this.#plans.bytes
  }

  /**
   * The plan of the statement text in [start, end). Throws 42601 with a position for what does not parse; with one shard
   * that is the server's to say, whose grammar is of another version.
   */
  find(text: Buffer, start: number, end: number, context: PlanContext): Plan {
    if (context.escapes === true && this.shardCount === 1 && text.subarray(start, end).includes(BACKSLASH)) {
      return unreadPlan(errorOf('standard_strings'))
    }
    if (end - start > MAX_CACHED_TEXT_BYTES) {
      this.misses++
      this.#lexer.lex(text, start, end)
      return this.#makePlan(text, start, end, context, null).plan
    }
    const plans = this.#plansOf(context)
    const key = text.toString('latin1', start, end)
    const known = plans.get(key)
    if (known !== undefined && !known.template && known.plan !== null) {
      this.hits++
      this.#lexer.literals.reset(text, start)
      return known.plan
    }
    const template = this.#lexer.lex(text, start, end)
    if (template !== null && template !== key) {
      const shared = plans.get(template)
      if (shared !== undefined && shared.template && shared.plan !== null) {
        this.hits++
        return shared.plan
      }
      this.misses++
      if (shared === undefined || !shared.template) {
        const plan = this.#templatePlan(text, start, end, context, template)
        this.#plans.set(plans, template, plan, true)
        if (plan !== null) return plan
      }
    } else {
      this.misses++
    }
    const { plan } = this.#makePlan(text, start, end, context, null)
    // An EXECUTE with arguments hardly comes again, and would only push others out.
    if (plan.command?.kind !== 'execute' || plan.command.values.length === 0) this.#plans.set(plans, key, plan, false)
    return plan
  }

  /**
   * Index in `topology.shardNames`, or ANY_SHARD. `text` is the buffer last given to find(), with nothing found in between,
   * or else (a prepared statement that kept a copy) a buffer that holds exactly the statement's text.
   * `parameterTypes`: declared in Parse or described by a server; 0 where unknown. Throws 0A000 for keys on several shards
   * or spellings that only a server can evaluate, 22023 for a NULL key that no server would refuse.
   */
  resolve(plan: Plan, text: Buffer, parameters: BindView | null, parameterTypes: readonly number[]): number {
    const target = plan.target
    const resolver = this.#resolver
    const keys = keysOf(plan)
    const single = this.shardCount === 1
    this.slotsComplete = true
    resolver.slots.length = 0
    resolver.sawNull = false
    if (keys.length > 0) {
      if (text !== this.#lexer.literals.bytes) this.#lexer.lex(text, 0, text.length)
      try {
        resolver.collect(keys, this.#lexer.literals, parameters, parameterTypes)
      } catch (error) {
        // Where all rows lie on one shard nothing is refused.
        if (!single) throw error
        resolver.slots.length = 0
        resolver.incomplete = true
      }
      this.slotsComplete = !resolver.incomplete
    }
    if (target.kind === 'any') return ANY_SHARD
    if (target.kind === 'shard') return this.#shardNamed(target.name)
    if (single || target.kind === 'default') return this.#defaultShard
    if (resolver.sawNull) refuseNullKey(plan, this.#catalog)
    return this.#oneShard(target.withDefault ? this.#defaultShard : ANY_SHARD)
  }

  /** Where the plan's refusal points to in the text last given to find(), for an error: 1-based characters, 0 for nowhere. */
  refusalPosition(plan: Plan): number {
    const position = this.#refusalPositions.get(plan)
    const offset = position === undefined ? (plan.refusal?.position ?? -1) : textPosition(this.#lexer, position)
    const { bytes, base } = this.#lexer.literals
    return offset < 0 ? 0 : characters(bytes, base, base + offset) + 1
  }

  #oneShard(wanted: number): number {
    const slots = this.#resolver.slots
    let shard = wanted
    for (let i = 0; i < slots.length; i++) {
      const owner = this.#shardOfSlot[slots[i] as number] as number
      if (shard === ANY_SHARD) shard = owner
      else if (shard !== owner) {
        throw errorOf(
          'not_supported',
          {
            what:
              wanted === ANY_SHARD
                ? 'a statement with keys on several shards'
                : 'a join of sharded rows with a table of the default shard',
          },
          { hint: 'Use one statement for each shard key.' },
        )
      }
    }
    return shard
  }

  #shardNamed(name: string): number {
    const index = this.#topology.shardNames.indexOf(name)
    if (index < 0) throw errorOf('bad_setting', { name: 'shard', value: name })
    for (const slot of this.#resolver.slots) {
      if (this.#shardOfSlot[slot] === index) continue
      const hint = 'The statement writes a row that belongs to another shard.'
      throw errorOf('bad_setting', { name: 'shard', value: name }, { hint })
    }
    return index
  }

  #plansOf(context: PlanContext): ContextPlans {
    if (context === this.#lastContext && this.#lastPlans?.dropped === false) return this.#lastPlans
    let plans = this.#contexts.get(context)
    if (plans === undefined || plans.dropped) {
      const temporary = context.temporary === null ? null : [...context.temporary].toSorted()
      plans = this.#plans.context(
        JSON.stringify([context.searchPath, context.role, temporary, [...(context.hints ?? [])]]),
      )
      this.#contexts.set(context, plans)
    }
    this.#lastContext = context
    this.#lastPlans = plans
    return plans
  }

  /** A plan for all texts of the template, or null when they need plans of their own. */
  #templatePlan(text: Buffer, start: number, end: number, context: PlanContext, template: string): Plan | null {
    const { plan, exactOnly } = this.#makePlan(text, start, end, context, this.#lexer.literals)
    if (exactOnly) return null
    if (!this.#literalsAreKeys(plan, text, start, end, context)) return null
    if (plan.refusal !== null && plan.refusal.position >= 0) {
      this.#refusalPositions.set(plan, templatePosition(this.#lexer, plan.refusal.position))
    }
    if (!plan.preparable || plan.parameters > 0) return plan
    return { ...plan, parse: templateParse(template, this.#lexer.literals) }
  }

  /**
   * Makes the plan again from the parser's own values: the literals named as keys must give the same slots, and a plan
   * for many texts must not hold a key that came from one of them. Only a hint's key is part of the template.
   */
  #literalsAreKeys(plan: Plan, text: Buffer, start: number, end: number, context: PlanContext): boolean {
    const literals = this.#lexer.literals
    const keys = keysOf(plan)
    if (literals.count > 0 && !plan.hints.has('key') && keys.some(key => key.from === 'constant')) return false
    const indexes = keys.filter(key => key.from === 'literal')
    if (indexes.length === 0) return true
    const exact = keysOf(this.#makePlan(text, start, end, context, null).plan)
    const constants = exact.filter((_, i) => keys[i]?.from === 'literal')
    if (exact.length !== keys.length || constants.some(key => key.from !== 'constant')) return false
    try {
      this.#resolver.collect(constants, literals, null, [])
      const expected = this.#resolver.slots.join()
      this.#resolver.collect(indexes, literals, null, [])
      return this.#resolver.slots.join() === expected
    } catch {
      return false
    }
  }

  #makePlan(text: Buffer, start: number, end: number, context: PlanContext, literals: Literals | null): PlanOutput {
    try {
      return this.#planner({
        text: text.toString('utf8', start, end),
        bytes: text.subarray(start, end),
        literals,
        catalog: this.#catalog,
        topology: this.#topology,
        context,
        hints: hintsOf(this.#lexer, context.hints ?? NO_HINTS),
      })
    } catch (error) {
      if (this.shardCount > 1 || !(error instanceof ShardwayError)) throw error
      return { plan: unreadPlan(error), exactOnly: true }
    }
  }
}
