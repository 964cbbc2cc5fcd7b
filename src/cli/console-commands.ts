/** Every command of the admin console as a command of the CLI: `shardway show pools`, `shardway kill_client 7`. */
import { type Command as CliCommand, CommanderError } from 'commander'
import { COMMANDS, findCommand } from '../admin/commands.ts'
import { quoteWord } from '../admin/statement.ts'
import { askConsole, CommandFailed, DEFAULT_ADMIN_URL } from './console-client.ts'
import { type CliResult, jsonText, tableText } from './output.ts'

export interface ConsoleOptions {
  readonly admin?: string
  readonly json?: boolean
  readonly database?: string
}

export function addConsoleOptions(command: CliCommand): CliCommand {
  return command
    .option('--admin <url>', `the proxy's admin console (default: $SHARDWAY_ADMIN or ${DEFAULT_ADMIN_URL})`)
    .option('--database <name>', 'which database, where there are several')
    .option('--json', 'print JSON')
}

/** One CLI command for each first word of the table; what follows is looked up when it runs. `end` hears the exit code. */
export function addConsoleCommands(program: CliCommand, end: (code: number) => void): void {
  const groups = new Map<string, (typeof COMMANDS)[number][]>()
  for (const command of COMMANDS) {
    const [first = ''] = command.name.split(' ')
    groups.set(first, [...(groups.get(first) ?? []), command])
  }
  for (const [first, commands] of groups) {
    const ready = commands.filter(command => command.run !== null)
    const single = commands.length === 1 && commands[0]?.name === first
    const description = single ? (commands[0]?.help ?? '') : `One of: ${ready.map(one => one.name).join(', ')}`
    const command = program
      .command(first, { hidden: ready.length === 0 })
      .description(description)
      .argument('[words...]')
    if (single) command.usage(`[options] ${argumentsOf(commands[0]?.syntax ?? '')}`.trimEnd())
    if (first === 'explain') command.addHelpText('after', EXPLAIN_HELP)
    if (ready.length > 0) addConsoleOptions(command)
    else command.allowUnknownOption()
    command.action(async (words: string[], options: ConsoleOptions) => {
      end(await runConsoleCommand([first, ...words], options))
    })
  }
}

/** `EXPLAIN [database=NAME] 'SQL' …` → `'SQL' …`: the database is an option here. */
function argumentsOf(syntax: string): string {
  return syntax
    .split(' ')
    .slice(1)
    .filter(word => word !== '[database=NAME]')
    .join(' ')
}

const EXPLAIN_HELP = `
The statement is one argument, and the values of its parameters $1, $2 … follow it, each an argument of its own:

  shardway explain 'select * from orders where customer_id = $1' 42

Exit code 1 when the statement would be refused.`

/** Gives the exit code. */
async function runConsoleCommand(words: readonly string[], options: ConsoleOptions): Promise<number> {
  const found = findCommand(words)
  if (found === null) {
    const [first = ''] = words
    const known = COMMANDS.filter(one => one.run !== null && one.name.startsWith(`${first} `)).map(one => one.name)
    throw new CommanderError(
      2,
      'shardway.unknown',
      `error: unknown command "${words.join(' ')}"; known: ${known.join(', ')}`,
    )
  }
  const { command } = found
  if (command.run === null) {
    throw new CommandFailed(
      `${command.name} is not yet supported in this release`,
      'See CHANGELOG.md for what each release brings.',
    )
  }
  const values = words.slice(found.words)
  if (values.length < command.minValues) {
    throw new CommanderError(2, 'shardway.missing', `error: ${command.name} needs more: ${command.syntax}`)
  }
  if (values.length > command.maxValues) {
    throw new CommanderError(
      2,
      'shardway.excess',
      `error: too many arguments for ${command.name}; it is ${command.syntax}`,
    )
  }
  const option = options.database === undefined ? [] : [`database=${quoteWord(options.database)}`]
  const sql = [command.name.toUpperCase(), ...option, ...values.map(quoteWord)].join(' ')
  const url = options.admin ?? process.env['SHARDWAY_ADMIN'] ?? DEFAULT_ADMIN_URL
  const { result, notices } = await askConsole(url, sql)
  if (options.json === true) {
    process.stdout.write(jsonText(result))
  } else {
    for (const notice of notices) process.stderr.write(`${notice}\n`)
    process.stdout.write(tableText(result))
  }
  return isRefusal(result) ? 1 : 0
}

/** EXPLAIN answers with rows also for a statement that would be refused; a script must be able to tell. */
function isRefusal(result: CliResult): boolean {
  return result.tag === 'EXPLAIN' && result.rows.some(([property]) => property === 'refusal')
}
