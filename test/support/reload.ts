/** Changes the file of a running Shardway and has it read again. */
import { readFileSync } from 'node:fs'
import { parse, stringify } from 'smol-toml'
import { waitFor } from '../../src/cluster/wait.ts'
import type { TomlValue } from '../../src/cluster/shardway.ts'
import type { System } from './system.ts'

export type Sections = Readonly<Record<string, { readonly [name: string]: TomlValue }>>

/** Lays values over those of the file's sections; ready when the log has said what was expected. */
export async function changeConfig(system: System, sections: Sections, expected = 'reloaded'): Promise<void> {
  const { shardway } = system
  const config = parse(readFileSync(shardway.configPath, 'utf8')) as Record<string, object>
  for (const [name, values] of Object.entries(sections)) config[name] = { ...config[name], ...values }
  shardway.writeConfig(stringify(config))
  await reload(system, expected)
}

/** SIGHUP, and the log's word about it: `reloaded` or `reload-refused`. */
export async function reload({ shardway }: System, expected = 'reloaded'): Promise<void> {
  const count = (): number => shardway.logs.filter(line => line['event.action'] === expected).length
  const before = count()
  await shardway.signal('SIGHUP')
  await waitFor(`the log to say ${expected}`, () => count() > before)
}
