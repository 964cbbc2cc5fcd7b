/** Random SELECTs over tables a, b, c (sharded by k), r (reference) and views: shapes through which a key may or may not pass. */
import type { Random } from '../../support/random.ts'

const COLUMNS = ['k', 'x', 'y'] as const
const TABLES = ['a', 'b', 'c', 'r', 'v_plain', 'v_group', 'v_limit', 'v_union', 'v_left'] as const

interface Scope {
  /** Aliases that may be named, innermost query first. */
  readonly aliases: readonly string[]
  readonly ctes: readonly string[]
}

export class QueryMaker {
  readonly #random: Random
  #aliases = 0

  constructor(random: Random) {
    this.#random = random
  }

  query(depth: number, scope: Scope = { aliases: [], ctes: [] }): string {
    const random = this.#random
    if (depth > 0 && random.chance(0.15)) return this.#setOperation(depth, scope)
    if (depth > 0 && random.chance(0.15)) return this.#with(depth, scope)
    return this.#select(depth, scope)
  }

  #setOperation(depth: number, scope: Scope): string {
    const operator = this.#random.pick(['union', 'union all', 'intersect', 'except', 'except all'])
    const whole = `(${this.query(depth - 1, scope)}) ${operator} (${this.query(depth - 1, scope)})`
    return this.#random.chance(0.2) ? `${whole} order by 1, 2, 3 limit 3` : whole
  }

  #with(depth: number, scope: Scope): string {
    const name = `w${this.#aliases++}`
    const body = this.query(depth - 1, scope)
    return `with ${name}(k, x, y) as (${body}) ${this.#select(depth - 1, { ...scope, ctes: [...scope.ctes, name] })}`
  }

  #select(depth: number, outer: Scope): string {
    const random = this.#random
    const own: string[] = []
    const from = this.#from(depth, outer, own)
    const scope: Scope = { ...outer, aliases: [...own, ...outer.aliases] }
    const where = random.chance(0.8) ? ` where ${this.#condition(depth, scope, own)}` : ''
    const first = random.pick(own)
    const k = random.weighted<string>([
      [8, `${first}.k`],
      [2, `${random.pick(own)}.k`],
      [1, `${first}.x`],
      [1, '2'],
    ])
    const shape = random.weighted<string>([
      [12, 'plain'],
      [2, 'distinct'],
      [2, 'group'],
      [1, 'aggregate'],
      [2, 'window'],
      [2, 'limit'],
      [2, 'distinct on'],
    ])
    const plain = `${k} as k, ${first}.x as x, ${random.pick(own)}.y as y`
    switch (shape) {
      case 'distinct':
        return `select distinct ${plain} from ${from}${where}`
      case 'group': {
        const by = random.pick(['k', 'x', 'k, x', '1'])
        const key =
          by === '1'
            ? `${first}.k`
            : by
                .split(', ')
                .map(name => `${first}.${name}`)
                .join(', ')
        const shown = by === 'x' ? `${first}.x as k` : `${first}.k as k`
        return `select ${shown}, count(*)::int as x, min(${random.pick(own)}.y) as y from ${from}${where} group by ${by === '1' ? '1' : key}`
      }
      case 'aggregate':
        return `select max(${k}) as k, count(*)::int as x, 0 as y from ${from}${where}`
      case 'window': {
        const part = random.pick(['', `partition by ${first}.k`, `partition by ${first}.x`])
        return `select ${k} as k, (count(*) over (${part}))::int as x, ${first}.y as y from ${from}${where}`
      }
      case 'limit':
        return `select ${plain} from ${from}${where} order by 1, 2, 3 ${random.pick(['limit 2', 'offset 1', 'limit 1 offset 1'])}`
      case 'distinct on': {
        const on = random.pick([`${first}.k`, `${first}.x`, '1', 'k'])
        return `select distinct on (${on}) ${plain} from ${from}${where} order by ${on}, 1, 2, 3`
      }
      default:
        return `select ${plain} from ${from}${where}`
    }
  }

  #from(depth: number, scope: Scope, own: string[]): string {
    const random = this.#random
    let from = this.#item(depth, scope, own, false)
    const joins = random.weighted([
      [4, 0],
      [5, 1],
      [3, 2],
    ])
    for (let i = 0; i < joins; i++) from = this.#join(depth, scope, own, from)
    return from
  }

  #join(depth: number, scope: Scope, own: string[], left: string): string {
    const random = this.#random
    if (random.chance(0.2)) return `${left} cross join ${this.#item(depth, scope, own, false)}`
    const kind = random.weighted<string>([
      [5, 'join'],
      [4, 'left join'],
      [2, 'right join'],
      [1, 'full join'],
    ])
    const lateral = (kind === 'join' || kind === 'left join') && random.chance(0.25)
    const before = [...own]
    const nested = !lateral && random.chance(0.2)
    let right = this.#item(depth, lateral ? { ...scope, aliases: [...own, ...scope.aliases] } : scope, own, lateral)
    const aliases = (): string[] => own.filter(alias => !before.includes(alias))
    if (nested) right = `(${this.#joinOn(depth, scope, own, right, aliases)})`
    const visible: Scope = { ...scope, aliases: [...own, ...scope.aliases] }
    const condition =
      kind === 'full join'
        ? `${random.pick(before)}.${random.pick(COLUMNS)} = ${random.pick(aliases())}.${random.pick(COLUMNS)}`
        : random.chance(0.7)
          ? `${random.pick(before)}.k = ${random.pick(aliases())}.k${random.chance(0.3) ? ` and ${this.#condition(depth, visible, own)}` : ''}`
          : this.#condition(depth, visible, own)
    return `${left} ${kind} ${right} on ${condition}`
  }

  #joinOn(depth: number, scope: Scope, own: string[], left: string, aliases: () => string[]): string {
    const [first] = aliases()
    const right = this.#item(depth, scope, own, false)
    const second = aliases().at(-1)
    return `${left} ${this.#random.pick(['join', 'left join', 'right join'])} ${right} on ${first}.k = ${second}.k`
  }

  #item(depth: number, scope: Scope, own: string[], lateral: boolean): string {
    const random = this.#random
    const alias = `t${this.#aliases++}`
    let text: string
    if (lateral || (depth > 0 && random.chance(0.3))) {
      text = `${lateral ? 'lateral ' : ''}(${this.query(Math.max(0, depth - 1), lateral ? scope : { ...scope })}) ${alias}(k, x, y)`
    } else if (scope.ctes.length > 0 && random.chance(0.5)) text = `${random.pick(scope.ctes)} ${alias}`
    else if (random.chance(0.08)) text = `(values (2, 1, 1), (4, 2, 2)) ${alias}(k, x, y)`
    else text = `${random.pick(TABLES)} ${alias}`
    own.push(alias)
    return text
  }

  #column(scope: Scope, own: readonly string[]): string {
    const random = this.#random
    const alias = random.chance(0.75) || scope.aliases.length === 0 ? random.pick(own) : random.pick(scope.aliases)
    return `${alias}.${random.weighted<string>([
      [6, 'k'],
      [2, 'x'],
      [1, 'y'],
    ])}`
  }

  #condition(depth: number, scope: Scope, own: readonly string[]): string {
    const random = this.#random
    const parts = [this.#predicate(depth, scope, own)]
    while (random.chance(0.5) && parts.length < 4) parts.push(this.#predicate(depth, scope, own))
    return parts.join(' and ')
  }

  #predicate(depth: number, scope: Scope, own: readonly string[]): string {
    const random = this.#random
    const column = this.#column(scope, own)
    const inner: Scope = scope
    const kind = random.weighted<string>([
      [9, 'constant'],
      [6, 'column'],
      [2, 'list'],
      [1, 'less'],
      [1, 'or'],
      [1, 'not'],
      [depth > 0 ? 2 : 0, 'in'],
      [depth > 0 ? 1 : 0, 'not in'],
      [depth > 0 ? 2 : 0, 'exists'],
      [1, 'null'],
    ])
    switch (kind) {
      case 'constant':
        return `${column} = ${random.pick(['2', '2', '4'])}`
      case 'column':
        return `${column} = ${this.#column(scope, own)}`
      case 'list':
        return `${column} in (2, 4)`
      case 'less':
        return `${column} < ${random.pick(['2', '3'])}`
      case 'or':
        return `(${this.#predicate(depth, scope, own)} or ${this.#predicate(depth, scope, own)})`
      case 'not':
        return `not (${this.#predicate(depth, scope, own)})`
      case 'null':
        return `${column} is null`
      case 'exists': {
        const not = random.chance(0.3) ? 'not ' : ''
        return `${not}exists (${this.query(depth - 1, inner)})`
      }
      default:
        return `${column} ${kind} (select s.k from (${this.query(depth - 1, inner)}) s(k, x, y))`
    }
  }
}
