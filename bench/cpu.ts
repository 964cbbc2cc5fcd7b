/** Processor time of process trees, from Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { runCommand } from './run-command.ts'

interface ProcessTimes {
  readonly pid: number
  readonly parent: number
  /** Clock ticks of the process itself and of its children that have ended and were waited for. */
  readonly ticks: number
}

/** Clock ticks a second; 0 where there is no /proc, and then no processor time is reported. */
export async function clockTicks(): Promise<number> {
  if (process.platform !== 'linux') return 0
  const result = await runCommand('getconf', ['CLK_TCK']).catch(() => null)
  return Number(result?.stdout ?? 0)
}

/** Ticks used so far by the processes named and everything below them. */
export function ticksOf(roots: readonly number[]): number {
  const children = new Map<number, ProcessTimes[]>()
  const byPid = new Map<number, ProcessTimes>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const times = readTimes(Number(name))
    if (times === null) continue
    byPid.set(times.pid, times)
    const siblings = children.get(times.parent)
    if (siblings === undefined) children.set(times.parent, [times])
    else siblings.push(times)
  }
  let total = 0
  const queue = roots.map(pid => byPid.get(pid)).filter(times => times !== undefined)
  for (const times of queue) {
    total += times.ticks
    queue.push(...(children.get(times.pid) ?? []))
  }
  return total
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function readTimes(pid: number): ProcessTimes | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null // It has ended since the folder was listed.
  }
  // The second field, the name, may hold blanks and parentheses: count from the last one that closes.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3] ?? 0)
  return { pid, parent: field(4), ticks: field(14) + field(15) + field(16) + field(17) }
}
