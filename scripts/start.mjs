/** `npm start`: installs, builds, and runs the demo. Plain JavaScript: Node 20 runs no TypeScript. */
import { build } from './build.mjs'
import { handOverSignals, main, root } from './run.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  await setup()
  await build()
  const { parseStartOptions, START_USAGE, UsageError } = await import(`${root}/dist/src/demo/options.js`)
  const { runStart } = await import(`${root}/dist/src/demo/start.js`)
  let options
  try {
    options = parseStartOptions(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    return 2
  }
  if (options === 'help') {
    console.log(START_USAGE)
    return 0
  }
  handOverSignals()
  stopWithNpm()
  // Not by itself: whatever a half-done start still waits for would hold the process.
  const code = await runStart(options)
  return process.exit(code)
})

/** npm passes a SIGTERM to the shell between it and this process, which ends of it and tells nobody. */
function stopWithNpm() {
  if (process.env.npm_lifecycle_event !== 'start') return
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.emit('SIGTERM')
  }, 250).unref()
}
