import { CODES } from '../../errors/codes.ts'
import type { ErrorCode } from '../../errors/error-code.ts'
import { code } from './markdown.ts'

export function errorsPage(): string {
  const entries = Object.entries<ErrorCode>(CODES).toSorted(
    ([a, x], [b, y]) => order(x.sqlstate, y.sqlstate) || order(a, b),
  )
  const sections = entries.map(([name, one]) => {
    const hint = one.hint === '' ? '' : `- hint: ${one.hint}\n`
    const ends = one.severity === 'FATAL' ? ', ends the connection' : ''
    return (
      `## ${one.sqlstate} ${name}\n\n${one.meaning}\n\n- message: ${code(one.message)}\n${hint}` +
      `- severity: ${one.severity}${ends}\n- what to do: ${one.remedy}\n`
    )
  })
  return `# Errors

What Shardway itself answers with. Match on the SQLSTATE, never on the text. Errors of the servers pass through unchanged.

${sections.join('\n')}`
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
