/** What a program that uses a driver or an ORM got, step by step: to be held against what it gets from Postgres itself. */

export type Step = readonly [name: string, outcome: unknown]

/** Fields of an error that a server has sent; the driver's own words are added by no server. */
const ERROR_FIELDS = ['code', 'severity', 'detail', 'hint', 'position', 'schema', 'table', 'column', 'constraint']

export class Transcript {
  readonly steps: Step[] = []

  /** Runs a step and notes what came of it: its value as JSON, or the server's error. */
  readonly step = async <Value>(name: string, work: () => PromiseLike<Value> | Value): Promise<Value | undefined> => {
    try {
      const value = await work()
      this.steps.push([name, value === undefined ? null : JSON.parse(JSON.stringify(value))])
      return value
    } catch (error) {
      this.steps.push([name, errorOf(error)])
      return undefined
    }
  }
}

const TIME = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*\+\d\d/g

/** An ORM may wrap the driver's error: the one with an SQLSTATE counts. */
function errorOf(error: unknown): Readonly<Record<string, unknown>> {
  for (let found = error; found instanceof Error; found = found.cause) {
    const fields = found as unknown as Readonly<Record<string, unknown>>
    if (typeof fields['code'] !== 'string') continue
    const told = { error: ERROR_FIELDS.map(name => fields[name] ?? null), message: found.message }
    // A failing row is shown with the time at which it was made.
    return JSON.parse(JSON.stringify(told).replaceAll(TIME, '<time>')) as Readonly<Record<string, unknown>>
  }
  return { error: String(error) }
}
