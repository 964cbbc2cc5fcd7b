/**
 * What the configuration can say but this release cannot do. Refused where serving would not be what the file asks for;
 * noted where serving without it is right, only slower or less convenient.
 */
import { list, type Raw, table, text } from './raw-view.ts'

const RELEASE = 'not yet supported in this release'

/** Problems: the start is refused. One line each. */
export function notYetProblems(file: Raw): string[] {
  const problems: string[] = []
  const only = (section: Raw, name: string, supported: readonly string[], known: readonly string[]): void => {
    const value = text(section, name)
    // A word nobody knows is the schema's to report.
    if (value === undefined || supported.includes(value) || !known.includes(value)) return
    problems.push(`${section.path}.${name}: "${value}" is ${RELEASE}, allowed: ${supported.join(', ')}`)
  }
  only(table(file, 'state'), 'store', ['file'], ['etcd'])
  only(table(file, 'failover'), 'mode', ['managed', 'off'], ['patroni'])
  const refuse = (section: Raw, name: string): void => {
    const value = section.value[name]
    if (value === undefined || value === '' || value === false || value === 0) return
    problems.push(`${section.path}.${name}: ${RELEASE}, leave it out`)
  }
  refuse(table(file, 'read'), 'fleet')
  refuse(table(file, 'failover'), 'fence_command')
  refuse(table(file, 'failover'), 'rejoin_command')
  return problems
}

/** Notes for `shardway check`: served, but without these. */
export function notYetNotes(file: Raw): string[] {
  const notes: string[] = []
  const note = (section: Raw, name: string, without: string): void => {
    const value = section.value[name]
    if (value !== undefined && value !== false) notes.push(`${section.path}.${name}: ${RELEASE}; ${without}`)
  }
  note(table(file, 'cache'), 'redis', 'nothing is cached')
  note(table(file, 'cache'), 'capture', 'nothing is cached')
  for (const database of list(file, 'databases')) {
    for (const one of list(database, 'tables')) note(one, 'cache', 'reads of the table are not cached')
  }
  return notes
}
