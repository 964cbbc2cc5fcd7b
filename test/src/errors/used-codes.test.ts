import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CODES } from '../../../src/errors/codes.ts'

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))
}

const root = new URL('../../../', import.meta.url).pathname
const used = ['src', 'pool', 'router']
  .flatMap(folder => sources(join(root, folder)))
  .flatMap(file => [...readFileSync(file, 'utf8').matchAll(/new ShardwayError\(\s*'(\w+)',\s*'(\w{5})'/g)])
  .map(match => [match[1] ?? '', match[2] ?? ''] as const)

describe('codes that the source uses', () => {
  it.each([...new Map(used.map(pair => [pair.join(' '), pair])).values()])(
    '%s is in the table as %s',
    (name, sqlstate) => {
      expect(CODES).toHaveProperty(name)
      expect(CODES[name as keyof typeof CODES].sqlstate).toBe(sqlstate)
    },
  )
})
