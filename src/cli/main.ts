#!/usr/bin/env node
/** `shardway …`. Exit codes: 0 done, 1 refused or failed, 2 wrong usage. */
import { Command, CommanderError } from 'commander'
import { loadConfigWithNotes } from '../config/load.ts'
import { ConfigError } from '../config/config-error.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { addConsoleCommands } from './console-commands.ts'
import { CommandFailed } from './console-client.ts'
import { VERSION } from '../observe/version.ts'

/** Set by the commands that end by themselves with another code than 0. */
let exitCode = 0

function program(): Command {
  const shardway = new Command('shardway')
    .description('One Postgres connection string in front of many Postgres servers')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('("shardway --help" lists the commands)')
  // Subcommands inherit the settings above from the moment they are made.
  shardway
    .command('start')
    .description('start real Postgres servers and the proxy in front, with a sample to try')
    .allowUnknownOption()
    .helpOption(false)
    .argument('[options...]')
    .action(async (args: string[]) => {
      const { parseStartOptions, START_USAGE, UsageError } = await import('../demo/options.ts')
      try {
        const options = parseStartOptions(args)
        if (options === 'help') {
          process.stdout.write(`${START_USAGE}\n`)
          return
        }
        const { runStart } = await import('../demo/start.ts')
        exitCode = await runStart(options)
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        throw new CommanderError(2, 'shardway.start', error.message)
      }
    })
  shardway
    .command('serve')
    .description('the proxy; SIGTERM drains, SIGHUP reloads')
    .requiredOption('-c, --config <file>', 'shardway.toml')
    .action(async (options: { readonly config: string }) => {
      const { runControl } = await import('../process/run-control.ts')
      exitCode = await runControl(options.config)
    })
  shardway
    .command('check')
    .description('read the configuration, connect, and name everything that would not work')
    .requiredOption('-c, --config <file>', 'shardway.toml')
    .option('--json', 'print JSON')
    .action(async (options: { readonly config: string; readonly json?: boolean }) => {
      const { config, notes } = loadConfigWithNotes(options.config)
      const { runCheck } = await import('../admin/check/check.ts')
      const { findingsText } = await import('../admin/check/finding.ts')
      const findings = await runCheck(config, notes)
      process.stdout.write(options.json === true ? `${JSON.stringify(findings, null, 2)}\n` : findingsText(findings))
      exitCode = findings.some(finding => finding.severity === 'error') ? 1 : 0
    })
  shardway
    .command('import-pgbouncer')
    .description('write the shardway.toml that is equivalent to a pgbouncer.ini; notes go to stderr')
    .argument('<file>', 'pgbouncer.ini')
    .option('-o, --output <file>', 'write to a new file instead of stdout')
    .option('--json', 'print the notes as JSON')
    .action(async (file: string, options: { readonly output?: string; readonly json?: boolean }) => {
      const { runImport } = await import('./import-pgbouncer/run.ts')
      const { ImportError } = await import('./import-pgbouncer/ini.ts')
      try {
        runImport(file, options)
      } catch (error) {
        throw error instanceof ImportError ? new CommandFailed(error.message) : error
      }
    })
  addConsoleCommands(shardway, code => {
    exitCode = code
  })
  return shardway
}

/** What goes to stderr for an error, and the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its own; help and version end with 0.
    if (error.code.startsWith('shardway.')) process.stderr.write(`${error.message}\n`)
    return error.exitCode === 0 ? 0 : 2
  }
  if (error instanceof ConfigError) {
    for (const problem of error.problems) process.stderr.write(`error: ${problem}\n`)
    return 1
  }
  if (error instanceof ShardwayError || error instanceof CommandFailed) {
    process.stderr.write(`error: ${error.message}\n`)
    if (error.hint !== undefined && error.hint !== '') process.stderr.write(`hint: ${error.hint}\n`)
    return 1
  }
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 1
}

// A reader that has gone (`shardway show clients | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program().parseAsync(process.argv)
  process.exitCode = exitCode
} catch (error) {
  process.exitCode = report(error)
}
