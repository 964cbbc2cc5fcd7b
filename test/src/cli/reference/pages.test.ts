import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { referencePages } from '../../../../src/cli/reference/pages.ts'
import { projectRoot } from '../../../../src/cluster/project-root.ts'

it.each([...referencePages()])('%s is what `npm run docs` makes', (path, text) => {
  expect(readFileSync(join(projectRoot(), path), 'utf8')).toBe(text)
})
