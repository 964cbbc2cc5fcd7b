/** `npm run soak`: test/soak/main.ts. */
import { main } from './run.mjs'
import { runCompiled } from './run-compiled.mjs'

await main(() => runCompiled('test/soak/main.js', process.argv.slice(2)))
