/** Makes the reference pages and the published JSON Schema from the compiled sources. `npm run docs`; `--check` only compares. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from './build.mjs'
import { isMain, main, root, StepFailed } from './run.mjs'

async function docs() {
  await build()
  const { referencePages } = await import(`${root}/dist/src/cli/reference/pages.js`)
  const check = process.argv.includes('--check')
  const stale = []
  for (const [path, text] of referencePages()) {
    const file = join(root, path)
    if (current(file) === text) continue
    stale.push(path)
    if (check) continue
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    console.log(`wrote ${path}`)
  }
  if (check && stale.length > 0) throw new StepFailed(`run "npm run docs": not up to date: ${stale.join(', ')}`)
  if (stale.length === 0) console.log('docs/reference is up to date')
}

function current(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

if (isMain(import.meta.url)) await main(docs)
