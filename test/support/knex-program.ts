/** What an application does with Knex. */
import createKnex, { type Knex } from 'knex'
import type { WireOptions } from './wire.ts'
import { Transcript, type Step } from './transcript.ts'

interface Author {
  id: string
  name: string
  mail: string | null
  extra: unknown
  balance: string
}

/** Schema by migrations, as a list in memory instead of files. */
class Migrations implements Knex.MigrationSource<string> {
  readonly #all: Readonly<Record<string, Knex.Migration>> = {
    '1_tables': {
      up: async knex => {
        await knex.schema.createTable('authors', table => {
          table.bigInteger('id').primary()
          table.string('name', 40).notNullable()
          table.string('mail').unique()
          table.jsonb('extra').defaultTo('{}')
          table.decimal('balance', 12, 2).notNullable().defaultTo(0)
          table.timestamps(true, true)
          table.index(['name', 'mail'], 'authors_by_name')
        })
        await knex.schema.createTable('books', table => {
          table.increments('id')
          table.bigInteger('author_id').notNullable().references('id').inTable('authors').onDelete('CASCADE')
          table.text('title').notNullable()
          table.enu('kind', ['novel', 'poems'], { useNative: true, enumName: 'book_kind' })
          table.specificType('tags', 'text[]')
        })
      },
      down: async knex => {
        await knex.schema.dropTable('books').raw('DROP TYPE book_kind').dropTable('authors')
      },
    },
    '2_changes': {
      up: async knex => {
        await knex.schema.alterTable('books', table => {
          table.integer('pages').checkPositive()
          table.renameColumn('title', 'name')
        })
      },
      down: async knex => {
        await knex.schema.alterTable('books', table => {
          table.dropColumn('pages')
          table.renameColumn('name', 'title')
        })
      },
    },
  }

  getMigrations(): Promise<string[]> {
    return Promise.resolve(Object.keys(this.#all))
  }

  getMigrationName(name: string): string {
    return name
  }

  getMigration(name: string): Promise<Knex.Migration> {
    return Promise.resolve(this.#all[name] as Knex.Migration)
  }
}

function open({ host, port, user, password, database }: WireOptions): Knex {
  return createKnex({
    client: 'pg',
    connection: { host, port, user, password, database },
    pool: { min: 0, max: 6 },
    migrations: { migrationSource: new Migrations() },
  })
}

/** Everything, for one server or one shard. */
export async function knexProgram(target: WireOptions): Promise<Step[]> {
  const knex = open(target)
  const transcript = new Transcript()
  try {
    await schemaUp(knex, transcript)
    await keyedStatements(knex, transcript)
    await unkeyedStatements(knex, transcript)
    await schemaDown(knex, transcript)
  } finally {
    await knex.destroy()
  }
  return transcript.steps
}

/** The statements that name their key, on tables that are there. */
export async function knexKeyedProgram(target: WireOptions): Promise<Step[]> {
  const knex = open(target)
  const transcript = new Transcript()
  try {
    await keyedStatements(knex, transcript)
  } finally {
    await knex.destroy()
  }
  return transcript.steps
}

async function schemaUp(knex: Knex, { step }: Pick<Transcript, 'step'>): Promise<void> {
  await step('latest', () => knex.migrate.latest())
  await step('latest again', () => knex.migrate.latest())
  await step('list', () => knex.migrate.currentVersion())
  await step('hasTable', async () => [await knex.schema.hasTable('books'), await knex.schema.hasTable('nothing')])
  await step('hasColumn', () => knex.schema.hasColumn('books', 'pages'))
  await step('columnInfo', () => knex('authors').columnInfo())
}

async function schemaDown(knex: Knex, { step }: Pick<Transcript, 'step'>): Promise<void> {
  await step('rollback', () => knex.migrate.rollback(undefined, true))
  await step('tables left', () => knex.schema.hasTable('authors'))
  await step('forget', () => knex.schema.dropTable('knex_migrations').dropTable('knex_migrations_lock'))
}

async function keyedStatements(knex: Knex, { step }: Pick<Transcript, 'step'>): Promise<void> {
  const authors = () => knex<Author>('authors')
  const columns = ['id', 'name', 'mail', 'extra', 'balance'] as const
  for (const id of ['1', '2', '3', '4']) {
    const row = { id, name: `author ${id}`, mail: `a${id}@example.org`, extra: JSON.stringify({ id, list: [1, null] }) }
    await step(`insert ${id}`, () =>
      authors()
        .insert(row)
        .returning([...columns]),
    )
  }
  await step('first', () =>
    authors()
      .where({ id: '2' })
      .first(...columns),
  )
  await step('nobody', () => authors().where({ id: '99' }).first())
  await step('pluck', () => authors().where('id', '3').pluck('name'))
  await step('update', () => authors().where({ id: '3' }).update({ name: 'renamed' }, ['id', 'name']))
  await step('increment', () => authors().where('id', '3').increment('balance', 12.5))
  await step('upsert', () =>
    authors()
      .insert({ id: '3', name: 'merged', balance: '7' })
      .onConflict('id')
      .merge(['name'])
      .returning([...columns]),
  )
  await step('ignore', () => authors().insert({ id: '3', name: 'x' }).onConflict('id').ignore().returning('id'))
  await step('raw', () => knex.raw('SELECT name, ?::int + 1 AS n FROM authors WHERE id = ?', [41, 1]).then(r => r.rows))
  await step('unique', () => authors().insert({ id: '1', name: 'again' }))
  await step('not null', () => authors().insert({ id: '9', name: knex.raw('NULL') }))
  await step('no such column', () => knex('authors').where({ id: 1, nothing: 1 }).select('name'))
  await step('no such type', () => knex.raw('SELECT name::nothing FROM authors WHERE id = ?', [1]))

  await step('transaction', () =>
    knex.transaction(async trx => {
      await trx('authors').where({ id: '1' }).update({ balance: '5.00' })
      return await trx('authors').where({ id: '1' }).forUpdate().first('balance')
    }),
  )
  await step('rolled back', () =>
    knex.transaction(async trx => {
      await trx('authors').where({ id: '1' }).del()
      throw new Error('changed my mind')
    }),
  )
  await step('nested', () =>
    knex.transaction(async outer => {
      await outer('authors').where({ id: '2' }).update({ mail: 'outer@example.org' })
      const inner = await outer
        .transaction(async trx => {
          await trx('authors').where({ id: '2' }).update({ name: 'inner' })
          await trx('authors').insert({ id: '2', name: 'again' })
        })
        .catch((error: { code: string }) => error.code)
      await outer.transaction(trx => trx('authors').where({ id: '2' }).increment('balance', 1))
      return [
        inner,
        await outer('authors')
          .where({ id: '2' })
          .first(...columns),
      ]
    }),
  )
  await step('in a failed transaction', () =>
    knex.transaction(async trx => {
      await trx.raw('SELECT 1/0').catch(() => undefined)
      await trx('authors').where({ id: '1' }).first()
    }),
  )
  await step('isolation', () =>
    knex.transaction(trx => trx('authors').where({ id: '1' }).first('name'), { isolationLevel: 'repeatable read' }),
  )
  await step('many at once', () =>
    Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        authors()
          .where({ id: String(1 + (i % 4)) })
          .first('id', 'name'),
      ),
    ),
  )
  await step('stream', async () => {
    const rows: unknown[] = []
    for await (const row of authors().where({ id: '4' }).select('id', 'name').stream()) rows.push(row)
    return rows
  })
  await step('delete', () => authors().where({ id: '4' }).del(['id']))
}

async function unkeyedStatements(knex: Knex, { step }: Pick<Transcript, 'step'>): Promise<void> {
  await step('batch', () =>
    knex.batchInsert(
      'books',
      Array.from({ length: 25 }, (_, i) => ({
        author_id: 1 + (i % 3),
        name: `book ${i}`,
        pages: 1 + i,
        tags: ['a', `t${i}`],
      })),
      10,
    ),
  )
  await step('serial', () => knex('books').insert({ author_id: 1, name: 'one more', kind: 'novel' }).returning('id'))
  await step('enum', () => knex('books').insert({ author_id: 1, name: 'wrong', kind: 'nothing' }))
  await step('check', () => knex('books').insert({ author_id: 1, name: 'wrong', pages: 0 }))
  await step('foreign key', () => knex('books').insert({ author_id: 77, name: 'nobody’s' }))
  await step('join', () =>
    knex('authors as a')
      .join('books as b', 'b.author_id', 'a.id')
      .groupBy('a.id')
      .having(knex.raw('count(*) > 2'))
      .orderBy('a.id')
      .select('a.name', knex.raw('count(*)::int AS books'), knex.raw('max(b.pages) AS longest')),
  )
  await step('subquery', () =>
    knex('books')
      .whereIn('author_id', knex('authors').where('name', 'like', 'm%').select('id'))
      .count('* as n'),
  )
  await step('window', () =>
    knex('books').select('id').rank('r', 'author_id', 'pages').orderBy('id').limit(5).offset(2),
  )
  await step('with', () =>
    knex
      .with('long', knex('books').where('pages', '>', 20))
      .select('name')
      .from('long')
      .orderBy('name'),
  )
  await step('stream', async () => {
    let count = 0
    for await (const _ of knex('books').select('id').stream()) count++
    return count
  })
  await step('truncate', () => knex('books').truncate())
  await step('count', () => knex('books').count('* as n').first())
}
