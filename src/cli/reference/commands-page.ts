import { COMMANDS } from '../../admin/commands.ts'
import { code, table } from './markdown.ts'

export function commandsPage(): string {
  const ready = COMMANDS.filter(command => command.run !== null)
  const later = COMMANDS.filter(command => command.run === null)
  return `# Admin console and commands

Connect with any client to the database \`shardway\` (or \`pgbouncer\`, for tools made for it), or run \`shardway COMMAND\`
in a shell: both take the same commands. In a shell \`--admin URL\`, \`--database NAME\` and \`--json\` go with each.

${table(
  ['command', 'does', 'needs'],
  ready.map(one => [code(one.syntax), one.help, one.rights === 'stats' ? '`stats` or `admin`' : '`admin`']),
)}

## Not yet in this release

Answered with 0A000.

${table(
  ['command', 'will'],
  later.map(one => [code(one.syntax), one.help]),
)}
`
}
