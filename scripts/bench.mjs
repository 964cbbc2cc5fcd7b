/** `npm run bench`, `npm run bench:gate`: bench/main.ts. */
import { main } from './run.mjs'
import { runCompiled } from './run-compiled.mjs'

await main(() => runCompiled('bench/main.js', process.argv.slice(2)))
