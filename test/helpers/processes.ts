import { readdirSync, readFileSync } from 'node:fs'

/** Living processes that carry the mark in their command line or environment (zombies have neither). */
export function processesWith(mark: string): string[] {
  const found: string[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
    try {
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      const environment = readFileSync(`/proc/${entry}/environ`, 'latin1')
      if (command.includes(mark) || environment.includes(mark)) found.push(`${entry} ${command}`)
    } catch {
      // Gone, or somebody else's.
    }
  }
  return found
}
