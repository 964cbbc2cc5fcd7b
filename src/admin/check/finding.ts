/** What `shardway check` says, one thing each. */
export interface Finding {
  readonly severity: 'error' | 'warning'
  /** Where: `app/s0/127.0.0.1:5432`, a table, or the file's own path. */
  readonly where: string
  readonly message: string
  readonly hint: string
}

export function failure(where: string, message: string, hint = ''): Finding {
  return { severity: 'error', where, message, hint }
}

export function warning(where: string, message: string, hint = ''): Finding {
  return { severity: 'warning', where, message, hint }
}

/** Lines for people, errors first, and a last line that counts. */
export function findingsText(findings: readonly Finding[]): string {
  const errors = findings.filter(finding => finding.severity === 'error')
  const warnings = findings.filter(finding => finding.severity === 'warning')
  const lines: string[] = []
  for (const finding of [...errors, ...warnings]) {
    lines.push(`${finding.severity}: ${finding.where}: ${finding.message}`)
    if (finding.hint !== '') lines.push(`  hint: ${finding.hint}`)
  }
  if (findings.length === 0) lines.push('everything is right')
  else lines.push(`${count(errors.length, 'error')}, ${count(warnings.length, 'warning')}`)
  return `${lines.join('\n')}\n`
}

function count(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`
}
