/** `npm run fuzz`: test/fuzz/main.ts. */
import { main } from './run.mjs'
import { runCompiled } from './run-compiled.mjs'

await main(() => runCompiled('test/fuzz/main.js', process.argv.slice(2)))
