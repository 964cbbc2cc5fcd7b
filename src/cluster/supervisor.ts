/** The launcher's side of supervisor.mjs: starts processes that cannot outlive the launcher. */
import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { RunAs } from './run-as.ts'

/** How a process is ended when the launcher is gone; lower orders first. */
export interface StopPolicy {
  readonly signal: NodeJS.Signals
  readonly graceMs: number
  readonly order: number
}

export interface StartOptions {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly runAs?: RunAs | null
  /** Both outputs are appended to this file. */
  readonly log?: string
  readonly input?: string
  readonly stop?: StopPolicy
  /** Receives both outputs as they come. */
  readonly onOutput?: (text: string) => void
}

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

export interface Supervised {
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Known without waiting; undefined while it runs. */
  readonly exit: () => Exit | undefined
  /** A signal to the process alone, or: freeze, thaw (SIGSTOP, SIGCONT) and kill (SIGKILL) with everything below it. */
  readonly control: (action: NodeJS.Signals | 'freeze' | 'thaw' | 'kill') => Promise<void>
}

interface Reply {
  readonly id: number
  readonly event: 'started' | 'output' | 'exit' | 'failed' | 'done'
  readonly pid?: number
  readonly text?: string
  readonly message?: string
  readonly code?: number | null
  readonly signal?: string | null
  readonly stdout?: string
  readonly stderr?: string
}

const IMMEDIATE: StopPolicy = { signal: 'SIGKILL', graceMs: 1000, order: 0 }

/** The variables that a program needs wherever it runs; nothing of the caller's (PGHOST, PGPASSWORD …) leaks in. */
export function plainEnvironment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: 'C', TZ: 'UTC' }
  for (const name of ['PATH', 'TMPDIR', 'SHARDWAY_TEST_RUN']) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  return env
}

export class Supervisor {
  readonly #child: ChildProcess
  readonly #listeners = new Map<number, (reply: Reply) => void>()
  readonly #ended: Promise<void>
  #closed = false
  #lastId = 0
  #waiting = 0

  constructor() {
    this.#child = spawn(process.execPath, [fileURLToPath(new URL('./supervisor.mjs', import.meta.url))], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
      cwd: '/',
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    this.#ended = new Promise(resolve => {
      this.#child.once('exit', () => {
        this.#closed = true
        for (const [id, listener] of this.#listeners) {
          listener({ id, event: 'failed', message: 'the supervisor of the servers has ended' })
        }
        this.#listeners.clear()
        resolve()
      })
    })
    this.#child.stdin?.on('error', () => {})
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', line => {
        const reply = JSON.parse(line) as Reply
        this.#listeners.get(reply.id)?.(reply)
      })
    }
    this.#hold(false)
  }

  /** Starts a process; it is stopped by its policy when the launcher ends without having stopped it. */
  async start(command: string, options: StartOptions): Promise<Supervised> {
    const id = this.#nextId()
    let exit: Exit | undefined
    let resolveExit: ((value: Exit) => void) | undefined
    const exited = new Promise<Exit>(resolve => {
      resolveExit = resolve
    })
    const pid = await this.#wait<number>((resolve, reject) => {
      this.#listeners.set(id, reply => {
        if (reply.event === 'started') resolve(reply.pid ?? 0)
        else if (reply.event === 'output') options.onOutput?.(reply.text ?? '')
        else {
          const stderr = reply.event === 'failed' ? (reply.message ?? '') : (reply.stderr ?? '')
          exit = { code: reply.code ?? null, signal: reply.signal ?? null, stdout: reply.stdout ?? '', stderr }
          this.#listeners.delete(id)
          reject(new Error(`cannot start ${command}: ${stderr}`))
          resolveExit?.(exit)
        }
      })
      this.#send({
        op: 'start',
        id,
        command,
        args: options.args,
        env: options.env ?? plainEnvironment(),
        cwd: options.cwd ?? '/',
        uid: options.runAs?.uid,
        gid: options.runAs?.gid,
        log: options.log,
        input: options.input,
        stream: options.onOutput !== undefined,
        stop: options.stop ?? IMMEDIATE,
      })
    })
    return {
      pid,
      exited,
      exit: () => exit,
      control: action => this.#request({ op: 'control', target: id, action }),
    }
  }

  /** Runs a program to its end. Throws with its output when it fails. */
  async run(command: string, options: StartOptions): Promise<Exit> {
    const child = await this.start(command, options)
    const exit = await this.#wait<Exit>(resolve => void child.exited.then(resolve))
    if (exit.code !== 0) {
      const outcome = exit.code === null ? `signal ${exit.signal ?? '?'}` : `exit code ${exit.code}`
      throw new Error(`${command} ${options.args.join(' ')}: ${outcome}\n${exit.stderr}${exit.stdout}`)
    }
    return exit
  }

  /** The folder goes when the launcher ends, however it ends. */
  discardAtEnd(path: string): void {
    this.#send({ op: 'discard-at-end', path })
  }

  discard(path: string): Promise<void> {
    return this.#request({ op: 'discard', path })
  }

  /** Stops all that still runs, removes the temporary folders, and waits for the end of it. */
  async close(): Promise<void> {
    this.#child.stdin?.end()
    await this.#wait<void>(resolve => void this.#ended.then(resolve))
  }

  get closed(): boolean {
    return this.#closed
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  #send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  #request(message: object): Promise<void> {
    const id = this.#nextId()
    return this.#wait<void>((resolve, reject) => {
      if (this.#closed) {
        reject(new Error('the supervisor of the servers has ended'))
        return
      }
      this.#listeners.set(id, reply => {
        this.#listeners.delete(id)
        if (reply.event === 'done') resolve()
        else reject(new Error(reply.message ?? 'failed'))
      })
      this.#send({ ...message, id })
    })
  }

  async #wait<T>(executor: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    this.#waiting += 1
    this.#hold(true)
    try {
      return await new Promise<T>(executor)
    } finally {
      this.#waiting -= 1
      if (this.#waiting === 0) this.#hold(false)
    }
  }

  /** A server that nobody waits for must not keep the launcher from ending: the end of the launcher stops it. */
  #hold(on: boolean): void {
    for (const stream of [this.#child.stdin, this.#child.stdout]) {
      if (!(stream instanceof Socket)) continue
      if (on) stream.ref()
      else stream.unref()
    }
    if (on) this.#child.ref()
    else this.#child.unref()
  }
}

let shared: Supervisor | undefined
let over = false

/** One for the whole process, started when first needed. */
export function supervisor(): Supervisor {
  if (over) throw new Error('the launcher is ending')
  if (shared === undefined || shared.closed) shared = new Supervisor()
  return shared
}

/** Ends the shared one, if there is any. `forGood`: work that was abandoned half done cannot start another. */
export async function closeSupervisor(options: { readonly forGood?: boolean } = {}): Promise<void> {
  over = options.forGood === true
  const current = shared
  shared = undefined
  await current?.close()
}
