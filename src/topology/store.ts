/** What must survive a restart, and where it is kept. */
import { z } from 'zod'
import { slotRunsProblem } from './slot-map.ts'

const shardRecord = z.object({
  name: z.string(),
  dbname: z.string(),
  nodes: z.array(z.string()),
  term: z.int(),
  /** Address of the primary of that term. */
  primary: z.string(),
  /** Highest timeline of a primary so far. */
  timeline: z.int(),
})

const databaseRecord = z
  .object({
    name: z.string(),
    /** What the indexes of slotRuns mean. Only ever grows at its end. */
    shardNames: z.array(z.string()).min(1),
    slotRuns: z.array(z.tuple([z.int(), z.int()])),
    shards: z.array(shardRecord),
  })
  .refine(record => slotRunsProblem(record.slotRuns, record.shardNames.length) === null, 'slotRuns is no slot map')

export const storedStateSchema = z.object({
  format: z.literal(1),
  /** Random; the identity of this proxy, mirrored in the shards. */
  id: z.string().min(16),
  epoch: z.int(),
  databases: z.array(databaseRecord),
})

export type StoredState = z.output<typeof storedStateSchema>
export type DatabaseRecord = StoredState['databases'][number]
export type ShardRecord = DatabaseRecord['shards'][number]

export interface StateStore {
  /** What to call it in messages. */
  readonly name: string
  /** null: nothing written yet. Throws ShardwayError `state_unreadable` when there is something else. */
  read(): Promise<StoredState | null>
  /** Returns when it is safe on disk. Calls are carried out in order. */
  write(state: StoredState): Promise<void>
  close(): Promise<void>
}
