/** `npm run test:regress`: test/regress/main.ts. */
import { main } from './run.mjs'
import { runCompiled } from './run-compiled.mjs'

await main(() => runCompiled('test/regress/main.js', process.argv.slice(2)))
