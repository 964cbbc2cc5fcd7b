import { readdirSync, readFileSync } from 'node:fs'

/** Pids of a process's children, ascending (Linux). */
export function childrenOf(pid: number): number[] {
  const children: number[] = []
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim()
    if (text !== '') children.push(...text.split(' ').map(Number))
  }
  return children.sort((a, b) => a - b)
}

/** Resident memory of a process and its children, in bytes. */
export function residentBytes(pid: number): number {
  let total = 0
  for (const one of [pid, ...childrenOf(pid)]) {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1]
    total += Number(kilobytes) * 1024
  }
  return total
}
