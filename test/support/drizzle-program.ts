/** What an application does with Drizzle, over node-postgres or over postgres.js. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { and, count, desc, eq, gt, inArray, max, relations, sql } from 'drizzle-orm'
import { drizzle as drizzleNode, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { migrate as migrateNode } from 'drizzle-orm/node-postgres/migrator'
import { drizzle as drizzleJs } from 'drizzle-orm/postgres-js'
import { migrate as migrateJs } from 'drizzle-orm/postgres-js/migrator'
import {
  bigint,
  integer,
  jsonb,
  numeric,
  type PgDatabase,
  type PgQueryResultHKT,
  pgTable,
  primaryKey,
  text,
  timestamp,
  varchar,
} from 'drizzle-orm/pg-core'
import pg from 'pg'
import postgres from 'postgres'
import { type Step, Transcript } from './transcript.ts'
import type { WireOptions } from './wire.ts'

const authors = pgTable('authors', {
  id: bigint('id', { mode: 'number' }).primaryKey(),
  name: varchar('name', { length: 40 }).notNull(),
  mail: text('mail'),
  extra: jsonb('extra').default({}),
  balance: numeric('balance', { precision: 12, scale: 2 }).notNull().default('0'),
  born: timestamp('born', { withTimezone: true }),
})
const books = pgTable(
  'books',
  {
    authorId: bigint('author_id', { mode: 'number' }).notNull(),
    n: integer('n').notNull(),
    title: text('title').notNull(),
    pages: integer('pages'),
    tags: text('tags').array(),
  },
  table => [primaryKey({ columns: [table.authorId, table.n] })],
)
const schema = {
  authors,
  books,
  authorRelations: relations(authors, ({ many }) => ({ books: many(books) })),
  bookRelations: relations(books, ({ one }) => ({
    author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  })),
}

export const DRIZZLE_SCHEMA = `
CREATE TABLE authors (id bigint PRIMARY KEY, name varchar(40) NOT NULL, mail text, extra jsonb DEFAULT '{}',
  balance numeric(12,2) NOT NULL DEFAULT 0, born timestamptz);
CREATE TABLE books (author_id bigint NOT NULL REFERENCES authors, n int NOT NULL, title text NOT NULL, pages int CHECK (pages > 0),
  tags text[], PRIMARY KEY (author_id, n));
`

type Db = PgDatabase<PgQueryResultHKT, typeof schema>
export type Driver = 'node-postgres' | 'postgres.js'

interface Opened {
  readonly db: Db
  readonly migrate: (folder: string) => Promise<void>
  readonly close: () => Promise<void>
}

function open(driver: Driver, { host, port, user, password, database }: WireOptions): Opened {
  if (driver === 'node-postgres') {
    const pool = new pg.Pool({ host, port, user, password, database, max: 6 })
    const db: NodePgDatabase<typeof schema> = drizzleNode(pool, { schema })
    return { db, migrate: migrationsFolder => migrateNode(db, { migrationsFolder }), close: () => pool.end() }
  }
  const client = postgres({ host, port, user, password, database, max: 6, onnotice: () => undefined })
  const db = drizzleJs(client, { schema })
  return { db, migrate: migrationsFolder => migrateJs(db, { migrationsFolder }), close: () => client.end() }
}

/** Migration files as drizzle-kit writes them. */
function writeMigrations(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shardway-drizzle-'))
  mkdirSync(join(folder, 'meta'))
  const files = [
    ['0000_tables', DRIZZLE_SCHEMA.trim().replace(';\n', ';\n--> statement-breakpoint\n')],
    [
      '0001_index',
      'CREATE INDEX books_by_title ON books (title);\n--> statement-breakpoint\nALTER TABLE books ADD kind text',
    ],
  ] as const
  for (const [tag, text] of files) writeFileSync(join(folder, `${tag}.sql`), text)
  const entries = files.map(([tag], idx) => ({
    idx,
    version: '7',
    when: 1_700_000_000_000 + idx,
    tag,
    breakpoints: true,
  }))
  writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify({ version: '7', dialect: 'postgresql', entries }))
  return folder
}

/** Everything, for one server or one shard. */
export async function drizzleProgram(driver: Driver, target: WireOptions): Promise<Step[]> {
  const { db, migrate, close } = open(driver, target)
  const transcript = new Transcript()
  const folder = writeMigrations()
  try {
    await transcript.step('migrate', () => migrate(folder))
    await transcript.step('migrate again', () => migrate(folder))
    await keyedStatements(db, transcript)
    await unkeyedStatements(db, transcript)
    await transcript.step('forget', async () => {
      await db.execute(sql`DROP TABLE ${books}, ${authors}`)
      await db.execute(sql`DROP SCHEMA drizzle CASCADE`)
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await close()
  }
  return transcript.steps
}

/** The statements that name their key, on tables that are there. */
export async function drizzleKeyedProgram(driver: Driver, target: WireOptions): Promise<Step[]> {
  const { db, close } = open(driver, target)
  const transcript = new Transcript()
  try {
    await keyedStatements(db, transcript)
  } finally {
    await close()
  }
  return transcript.steps
}

/** Rows of a raw statement: each driver has its own form. */
function rowsOf(result: unknown): unknown {
  const { rows } = result as { rows?: unknown }
  return rows ?? Array.from(result as Iterable<unknown>)
}

async function keyedStatements(db: Db, { step }: Pick<Transcript, 'step'>): Promise<void> {
  for (const id of [1, 2, 3, 4]) {
    const extra = { id, list: [1, null, { a: "it's" }] }
    const born = new Date(Date.UTC(2000, id, 1))
    await step(`insert ${id}`, () =>
      db
        .insert(authors)
        .values({ id, name: `author ${id}`, extra, born })
        .returning(),
    )
    const rows = [1, 2, 3].map(n => ({ authorId: id, n, title: `book ${n}`, pages: 100 * n, tags: ['x', `t${n}`] }))
    await step(`books of ${id}`, () => db.insert(books).values(rows).returning({ n: books.n }))
  }
  await step('select', () => db.select().from(authors).where(eq(authors.id, 2)))
  await step('nobody', () => db.select().from(authors).where(eq(authors.id, 99)))
  await step('join', () =>
    db
      .select({ name: authors.name, title: books.title })
      .from(authors)
      .innerJoin(books, eq(books.authorId, authors.id))
      .where(and(eq(authors.id, 3), gt(books.pages, 100)))
      .orderBy(desc(books.n)),
  )
  await step('aggregate', () =>
    db
      .select({ n: count(), most: max(books.pages) })
      .from(books)
      .where(eq(books.authorId, 1)),
  )
  await step('relations', () =>
    db.query.authors.findFirst({ where: eq(authors.id, 1), with: { books: { orderBy: books.n, limit: 2 } } }),
  )
  const byId = db
    .select({ id: authors.id, name: authors.name })
    .from(authors)
    .where(eq(authors.id, sql.placeholder('id')))
    .prepare('author_by_id')
  await step('prepared', () => Promise.all(Array.from({ length: 80 }, (_, i) => byId.execute({ id: 1 + (i % 5) }))))
  await step('update', () => db.update(authors).set({ mail: 'x@example.org' }).where(eq(authors.id, 3)).returning())
  await step('upsert', () =>
    db
      .insert(authors)
      .values({ id: 3, name: 'merged' })
      .onConflictDoUpdate({ target: authors.id, set: { name: sql`excluded.name || '!'` } })
      .returning({ id: authors.id, name: authors.name }),
  )
  await step('ignore', () => db.insert(authors).values({ id: 3, name: 'x' }).onConflictDoNothing().returning())
  await step('raw', async () => rowsOf(await db.execute(sql`SELECT name FROM ${authors} WHERE ${authors.id} = ${2}`)))
  await step('unique', () => db.insert(authors).values({ id: 1, name: 'again' }))
  await step('check', () => db.insert(books).values({ authorId: 1, n: 9, title: 'wrong', pages: 0 }))
  await step('foreign key', () => db.insert(books).values({ authorId: 77, n: 1, title: 'nobody’s' }))
  await step('syntax', () => db.execute(sql`SELEC 1`))
  await step('no such column', () => db.execute(sql`SELECT nothing FROM ${authors} WHERE ${authors.id} = 1`))
  await transactions(db, step)
  await step('delete', () => db.delete(books).where(eq(books.authorId, 4)).returning({ n: books.n }))
  await step('is gone', () => db.select().from(books).where(eq(books.authorId, 4)))
}

async function transactions(db: Db, step: Transcript['step']): Promise<void> {
  await step('transaction', () =>
    db.transaction(async tx => {
      await tx.update(authors).set({ balance: '5' }).where(eq(authors.id, 1))
      await tx.update(books).set({ pages: 7 }).where(eq(books.authorId, 1))
      return await tx.select({ balance: authors.balance }).from(authors).where(eq(authors.id, 1)).for('update')
    }),
  )
  await step('rollback', () =>
    db.transaction(async tx => {
      await tx.delete(books).where(eq(books.authorId, 1))
      tx.rollback()
    }),
  )
  await step('nested', () =>
    db.transaction(async tx => {
      await tx.update(authors).set({ mail: 'outer' }).where(eq(authors.id, 2))
      await tx
        .transaction(async inner => {
          await inner.update(authors).set({ name: 'inner' }).where(eq(authors.id, 2))
          await inner.insert(authors).values({ id: 2, name: 'again' })
        })
        .catch(() => undefined)
      await tx.transaction(inner => inner.update(authors).set({ balance: '2.5' }).where(eq(authors.id, 2)))
      return await tx.select().from(authors).where(eq(authors.id, 2))
    }),
  )
  await step('isolation', () =>
    db.transaction(tx => tx.select({ id: authors.id }).from(authors).where(eq(authors.id, 1)), {
      isolationLevel: 'repeatable read',
      accessMode: 'read only',
    }),
  )
  await step('many transactions at once', () =>
    Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        db.transaction(async tx => {
          await tx
            .update(authors)
            .set({ balance: sql`${authors.balance} + 1` })
            .where(eq(authors.id, 1 + (i % 3)))
        }),
      ),
    ).then(() => null),
  )
  await step('their sum', () => db.select({ balance: authors.balance }).from(authors).where(eq(authors.id, 3)))
}

async function unkeyedStatements(db: Db, { step }: Pick<Transcript, 'step'>): Promise<void> {
  await step('all', () => db.select().from(books).orderBy(books.authorId, books.n))
  await step('group', () =>
    db
      .select({ id: books.authorId, n: count() })
      .from(books)
      .groupBy(books.authorId)
      .having(({ n }) => gt(n, 2))
      .orderBy(books.authorId),
  )
  await step('subquery', () =>
    db
      .select({ name: authors.name })
      .from(authors)
      .where(inArray(authors.id, db.select({ id: books.authorId }).from(books).where(gt(books.pages, 200))))
      .orderBy(authors.id),
  )
  await step('relations of all', () =>
    db.query.authors.findMany({ orderBy: authors.id, with: { books: { columns: { title: true }, orderBy: books.n } } }),
  )
  const long = db.$with('long').as(db.select().from(books).where(gt(books.pages, 150)))
  await step('with', () => db.with(long).select({ n: count() }).from(long))
}
