#!/usr/bin/env node
/** `npm start`, once everything is installed and built. */
import { parseStartOptions, START_USAGE, UsageError } from './options.ts'
import { runStart } from './start.ts'

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseStartOptions(args)
    if (options !== 'help') return await runStart(options)
    console.log(START_USAGE)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    return 2
  }
}

process.exit(await main(process.argv.slice(2)))
