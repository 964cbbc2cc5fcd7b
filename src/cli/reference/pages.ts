/** The generated pages of docs/reference, by their path in the repository. */
import { commandsPage } from './commands-page.ts'
import { configurationPage, publishedSchema } from './configuration-page.ts'
import { errorsPage } from './errors-page.ts'

export const GENERATED = '<!-- Made by `npm run docs` from the sources. Do not edit. -->'

export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/errors.md', `${GENERATED}\n\n${errorsPage()}`],
    ['docs/reference/configuration.md', `${GENERATED}\n\n${configurationPage()}`],
    ['docs/reference/console.md', `${GENERATED}\n\n${commandsPage()}`],
    ['docs/reference/config.schema.json', `${JSON.stringify(publishedSchema(), null, 2)}\n`],
  ])
}
