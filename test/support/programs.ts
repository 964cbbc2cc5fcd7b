/** Postgres's own client programs, run against Shardway or the oracle. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Binaries } from '../../src/cluster/binaries.ts'
import type { WireOptions } from './wire.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

/** Beside the servers' binaries, else on the PATH; null where the machine has none (the embedded binaries bring no clients). */
export function findProgram(name: string, bin: string): string | null {
  const folders = [bin, ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.map(folder => join(folder, name)).find(path => existsSync(path)) ?? null
}

/** The same, null as well where it is older than the server: pg_dump refuses a newer one. */
export function findProgramFor(name: string, { bin, major }: Binaries): string | null {
  const path = findProgram(name, bin)
  if (path === null) return null
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  return Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1]) >= major ? path : null
}

export function startProgram(path: string, target: WireOptions, args: readonly string[], input = ''): Running {
  const child = spawn(path, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      LC_ALL: 'C.UTF-8',
      PGHOST: target.host,
      PGPORT: String(target.port),
      PGUSER: target.user,
      PGPASSWORD: target.password,
      PGDATABASE: target.database,
      PSQLRC: '/dev/null',
      PSQL_HISTORY: '/dev/null',
    },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve({ code, stdout, stderr }))
  })
  return { child, ended }
}

export async function runProgram(
  path: string,
  target: WireOptions,
  args: readonly string[],
  input = '',
): Promise<Ended> {
  return await startProgram(path, target, args, input).ended
}
