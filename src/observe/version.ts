/** The release, from package.json: beside the sources in a checkout, one folder further up in a build. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

const manifest = z.object({ name: z.literal('shardway'), version: z.string() })

function read(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const found = manifest.safeParse(JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')))
      if (found.success) return found.data.version
    } catch {
      // The other place.
    }
  }
  return '0.0.0'
}

export const VERSION = read()
