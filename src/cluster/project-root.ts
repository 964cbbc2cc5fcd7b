import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder with Shardway's package.json, seen from the sources as well as from dist. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }
      if (name === 'shardway') return folder
    }
    if (folder === dirname(folder)) throw new Error('package.json of shardway not found above its own code')
    folder = dirname(folder)
  }
}
