/**
 * Plans by text or template, for each context (search_path, role, temporary names) apart, bounded over all of them by bytes
 * and count. A hit only sets a mark; eviction passes over what was used since it last looked (second chance).
 */
import type { Plan } from './plan.ts'

export interface CachedPlan {
  /** Null: texts of this template need plans of their own. */
  readonly plan: Plan | null
  /** The key is a template, else a whole text. */
  readonly template: boolean
  readonly bytes: number
  recent: boolean
}

/** Rough sizes: a plan without keys, and what each key, touch or character of it adds. */
const PLAN_BYTES = 800
const PART_BYTES = 120
const CONTEXT_BYTES = 600

function sizeOf(key: string, plan: Plan | null): number {
  if (plan === null) return PLAN_BYTES / 4 + key.length
  const keys = plan.target.kind === 'keys' || plan.target.kind === 'shard' ? (plan.target.keys ?? []) : []
  let bytes = PLAN_BYTES + key.length + (keys.length + plan.touches.length) * PART_BYTES
  for (const source of keys) if (source.from === 'constant') bytes += source.text.length
  for (const [name, value] of plan.hints) bytes += PART_BYTES + name.length + value.length
  return bytes + (plan.refusal === null ? 0 : plan.refusal.message.length + plan.refusal.hint.length)
}

export class ContextPlans {
  readonly name: string
  bytes = 0
  /** No longer part of the cache: to be looked up again by name. */
  dropped = false
  readonly entries = new Map<string, CachedPlan>()

  constructor(name: string) {
    this.name = name
  }

  get(key: string): CachedPlan | undefined {
    const entry = this.entries.get(key)
    if (entry !== undefined) entry.recent = true
    return entry
  }

  /** Removes the oldest entry that was not used since the last look; returns its bytes, 0 when there is none. */
  evictOne(): number {
    // Each entry is passed over at most once, so twice the size ends it.
    for (let left = this.entries.size * 2; left > 0; left--) {
      const first = this.entries.entries().next()
      if (first.done === true) return 0
      const [key, entry] = first.value
      this.entries.delete(key)
      if (!entry.recent) {
        this.bytes -= entry.bytes
        return entry.bytes
      }
      entry.recent = false
      this.entries.set(key, entry)
    }
    return 0
  }
}

export class PlanCache {
  readonly #maxBytes: number
  readonly #maxCount: number
  readonly #contexts = new Map<string, ContextPlans>()
  #bytes = 0
  #count = 0

  constructor(maxBytes: number, maxCount = 100_000) {
    this.#maxBytes = maxBytes
    this.#maxCount = maxCount
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  context(name: string): ContextPlans {
    let context = this.#contexts.get(name)
    if (context === undefined) {
      context = new ContextPlans(name)
      this.#contexts.set(name, context)
      this.#bytes += CONTEXT_BYTES + name.length
    }
    return context
  }

  set(context: ContextPlans, key: string, plan: Plan | null, template: boolean): void {
    const bytes = sizeOf(key, plan)
    if (context.dropped || bytes > this.#maxBytes / 4) return
    const old = context.entries.get(key)
    if (old !== undefined) {
      context.entries.delete(key)
      this.#account(context, -old.bytes, -1)
    }
    context.entries.set(key, { plan, template, bytes, recent: false })
    this.#account(context, bytes, 1)
    while ((this.#bytes > this.#maxBytes || this.#count > this.#maxCount) && this.#evict(context));
  }

  clear(): void {
    for (const context of this.#contexts.values()) context.dropped = true
    this.#contexts.clear()
    this.#bytes = 0
    this.#count = 0
  }

  /** From the context itself when it has its share or more, else from the one that has stood longest. */
  #evict(current: ContextPlans): boolean {
    let victim = current
    if (current.bytes * this.#contexts.size < this.#bytes) {
      for (const other of this.#contexts.values()) {
        if (other === current) continue
        victim = other
        break
      }
    }
    const freed = victim.evictOne()
    this.#bytes -= freed
    if (freed > 0) this.#count--
    if (victim.entries.size === 0 && victim !== current) {
      this.#contexts.delete(victim.name)
      victim.dropped = true
      this.#bytes -= CONTEXT_BYTES + victim.name.length
      return true
    }
    return freed > 0
  }

  #account(context: ContextPlans, bytes: number, count: number): void {
    context.bytes += bytes
    this.#bytes += bytes
    this.#count += count
  }
}
