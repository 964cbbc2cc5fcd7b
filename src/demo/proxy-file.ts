/** The demo's shardway.toml: made anew at every start, until somebody edits it; from then on it is theirs. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../config/load.ts'

const NAME = 'shardway.toml'
/**
 * The first line holds the hash of the rest: only a file of which that is true may be replaced. In the file itself, since
 * a copy beside it would be of another time when a start is interrupted between the two.
 */
const HEAD = '# Made by shardway start, anew each time. Change it, and it is kept. '

export interface ProxyPlan {
  /** An edited file is there and stays. */
  readonly kept: boolean
  readonly port: number
  readonly http: number
}

export function proxyFile(folder: string): string {
  return join(folder, NAME)
}

/**
 * What is to be listened on: an edited file says it, where the command line does not. `asked` is what the command line
 * says. @throws Error where they differ, ConfigError for an edited file that cannot be served.
 */
export function planProxy(
  folder: string,
  asked: { readonly port?: number | undefined; readonly http?: number | undefined },
  presets: { readonly port: number; readonly http: number },
): ProxyPlan {
  if (!isEdited(folder)) return { kept: false, port: asked.port ?? presets.port, http: asked.http ?? presets.http }
  const path = proxyFile(folder)
  const config = loadConfig(path)
  const chosen = (option: string, setting: string, wanted: number | undefined, port: number): number => {
    if (port === 0) throw new Error(`${path} (edited, so it is kept): ${setting} is 0; give it a number.`)
    if (wanted === undefined || wanted === port) return port
    throw new Error(
      `${option} ${wanted} is not what ${path} says (${setting} = ${port}), and that file has been edited, so it is kept. ` +
        `Leave ${option} out, change the file, or remove it to have a new one made.`,
    )
  }
  return {
    kept: true,
    port: chosen('--port', 'listen.port', asked.port, config.listen.port),
    http: chosen('--http', 'http.port', asked.http, config.http.port),
  }
}

/** In one step: half a file would pass for an edited one. */
export function writeProxyFile(folder: string, toml: string): void {
  const path = proxyFile(folder)
  writeFileSync(`${path}.new`, `${HEAD}${hashOf(toml)}\n${toml}`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** So is the file of an earlier version, of which nobody knows: nothing of the user's may be lost. */
function isEdited(folder: string): boolean {
  const path = proxyFile(folder)
  if (!existsSync(path)) return false
  const text = readFileSync(path, 'utf8')
  const end = text.indexOf('\n')
  return text.slice(0, end) !== `${HEAD}${hashOf(text.slice(end + 1))}`
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
