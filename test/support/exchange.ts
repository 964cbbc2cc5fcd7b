/** What a client may say, message by message. Each leaves the session idle and the tables as they were: it can be run again. */
import { frames, type Parameter } from './frames.ts'

export interface Step {
  readonly bytes: Buffer
  /** What the client waits for before the next step: the n-th message of a type. */
  readonly type: string
  readonly count: number
}

export interface Exchange {
  readonly name: string
  readonly steps: readonly Step[]
}

const { parse, bind, execute, query } = frames

/** Frames, answered by as many ReadyForQuery as there are Syncs and simple queries among them. */
export function step(...parts: readonly Buffer[]): Step {
  const bytes = Buffer.concat(parts)
  const count = parts.filter(part => part[0] === 0x53 || part[0] === 0x51).length
  return { bytes, type: 'Z', count }
}

/** Frames, and the type of the last message that they bring before any ReadyForQuery. */
export function before(type: string, ...parts: readonly Buffer[]): Step {
  return { bytes: Buffer.concat(parts), type, count: 1 }
}

/** Parse, Bind, Describe and Execute of the unnamed statement. */
export function run(sql: string, parameters: readonly Parameter[] = []): Buffer {
  return Buffer.concat([parse(sql), bind({ parameters }), frames.describePortal(), execute()])
}

export const NAME = 'SELECT name FROM customers WHERE id = $1'
export const ORDERS = 'SELECT id, amount FROM orders WHERE customer_id = $1 ORDER BY id'
export const ONE = '1'
export const TWO = '2'

export const simple = (name: string, ...texts: readonly string[]): Exchange => ({
  name,
  steps: texts.map(text => step(query(text))),
})
export const extended = (name: string, ...steps: readonly Step[]): Exchange => ({ name, steps })
