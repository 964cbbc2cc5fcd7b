/**
 * The parent of every server that the kit starts. Plain JavaScript, because tests run the kit from its sources and
 * Node 20 runs no TypeScript.
 *
 * Its standard input is a pipe to the launcher. However the launcher ends (also by kill -9) the pipe closes, and then
 * everything started here is stopped and every temporary folder removed. It lives in a session of its own, so Ctrl-C in
 * the launcher's terminal reaches neither it nor the servers: the launcher decides the order.
 *
 * Protocol: one JSON object a line, both ways; see supervisor.ts.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, openSync, closeSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const OUTPUT_LIMIT_BYTES = 4 << 20

/** id → { child, stop, exited } */
const running = new Map()
const discardAtEnd = new Set()
let ending = false

function send(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

function sleep(ms) {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** pid → { parent, state } of all processes. */
function processTable() {
  const table = new Map()
  if (existsSync('/proc/self/stat')) {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        table.set(Number(entry), { parent: Number(fields[1]), state: fields[0] })
      } catch {
        // It ended between readdir and read.
      }
    }
    return table
  }
  const listing = spawnSync('ps', ['-axo', 'pid=,ppid=,state='], { encoding: 'utf8' }).stdout ?? ''
  for (const line of listing.split('\n')) {
    const [pid, parent, state] = line.trim().split(/\s+/)
    if (pid && parent) table.set(Number(pid), { parent: Number(parent), state: (state ?? '').charAt(0) })
  }
  return table
}

/** The process and all below it. Postgres gives each backend a session of its own: a group signal would miss them. */
function tree(root) {
  const children = new Map()
  for (const [pid, { parent }] of processTable()) {
    const list = children.get(parent)
    if (list === undefined) children.set(parent, [pid])
    else list.push(pid)
  }
  const found = [root]
  for (let i = 0; i < found.length; i++) found.push(...(children.get(found[i]) ?? []))
  return found
}

function signal(pid, name) {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

function freezeTree(root) {
  signal(root, 'SIGSTOP')
  let seen = 0
  for (;;) {
    // A frozen parent forks no more, so this ends.
    const pids = tree(root)
    for (const pid of pids) signal(pid, 'SIGSTOP')
    if (pids.length === seen) return
    seen = pids.length
  }
}

function thawTree(root) {
  for (const pid of tree(root).toReversed()) signal(pid, 'SIGCONT')
}

async function killTree(root) {
  signal(root, 'SIGSTOP')
  const pids = tree(root)
  for (const pid of pids) signal(pid, 'SIGKILL')
  for (let i = 0; i < 2000; i++) {
    const table = processTable()
    // A zombie holds nothing; whoever inherited it may never reap it.
    if (pids.every(pid => !table.has(pid) || table.get(pid).state === 'Z')) return
    await sleep(5)
  }
}

/** A postmaster killed outright leaves its System V segment behind; its id stands in postmaster.pid. */
function removeSharedMemory(folder, depth) {
  let entries = []
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    return
  }
  for (const entry of entries) {
    if (entry.name === 'postmaster.pid') {
      const segment = readFileSync(join(folder, entry.name), 'utf8').split('\n')[6]?.trim().split(/\s+/)[1]
      if (segment !== undefined && /^\d+$/.test(segment)) spawnSync('ipcrm', ['-m', segment], { stdio: 'ignore' })
    } else if (entry.isDirectory() && depth > 0) {
      removeSharedMemory(join(folder, entry.name), depth - 1)
    }
  }
}

function discard(path) {
  removeSharedMemory(path, 2)
  rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}

function start(message) {
  const { id, command, args, env, cwd, uid, gid, log, input, stream } = message
  const logFile = typeof log === 'string' ? openSync(log, 'a') : null
  const output = logFile ?? 'pipe'
  const options = { env, cwd, stdio: ['pipe', output, output], detached: true }
  if (typeof uid === 'number') Object.assign(options, { uid, gid })
  let child
  try {
    child = spawn(command, args, options)
  } catch (error) {
    send({ id, event: 'failed', message: error.message })
    return
  } finally {
    if (logFile !== null) closeSync(logFile)
  }
  const entry = { child, stop: message.stop, exited: false, gone: undefined }
  let stdout = ''
  let stderr = ''
  let failed = false
  entry.gone = new Promise(resolve => {
    child.once('error', error => {
      failed = child.pid === undefined
      if (!failed) return
      entry.exited = true
      running.delete(id)
      send({ id, event: 'failed', message: error.message })
      resolve()
    })
    // 'close', not 'exit': all output has been seen then. A log file has no pipes to wait for.
    child.once('close', (code, name) => {
      if (failed) return
      entry.exited = true
      running.delete(id)
      send({ id, event: 'exit', code, signal: name, stdout, stderr })
      resolve()
    })
  })
  running.set(id, entry)
  if (child.pid !== undefined) send({ id, event: 'started', pid: child.pid })
  child.stdin.on('error', () => {})
  child.stdin.end(input ?? '')
  child.stdout?.setEncoding('utf8').on('data', text => {
    if (stream) send({ id, event: 'output', text })
    else if (stdout.length < OUTPUT_LIMIT_BYTES) stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    if (stream) send({ id, event: 'output', text })
    else if (stderr.length < OUTPUT_LIMIT_BYTES) stderr += text
  })
}

async function control(message) {
  const entry = running.get(message.target)
  const pid = entry?.child.pid
  if (entry !== undefined && pid !== undefined) {
    if (message.action === 'freeze') freezeTree(pid)
    else if (message.action === 'thaw') thawTree(pid)
    else if (message.action === 'kill') {
      await killTree(pid)
      await entry.gone
    } else signal(pid, message.action)
  }
  send({ id: message.id, event: 'done' })
}

async function stopChild(entry) {
  const pid = entry.child.pid
  if (pid === undefined || entry.exited) return
  thawTree(pid)
  signal(pid, entry.stop.signal)
  for (let waitedMs = 0; waitedMs < entry.stop.graceMs && !entry.exited; waitedMs += 10) await sleep(10)
  if (!entry.exited) await killTree(pid)
  await entry.gone
}

async function end() {
  if (ending) return
  ending = true
  // Proxies before the servers they use, primaries before their standbys: by `order`, equal ones together.
  const orders = [...new Set([...running.values()].map(entry => entry.stop.order))].toSorted((a, b) => a - b)
  for (const order of orders) {
    await Promise.allSettled([...running.values()].filter(entry => entry.stop.order === order).map(stopChild))
  }
  for (const path of discardAtEnd) discard(path)
  process.exit(0)
}

async function handle(message) {
  if (message.op === 'start') start(message)
  else if (message.op === 'control') await control(message)
  else if (message.op === 'discard-at-end') discardAtEnd.add(message.path)
  else if (message.op === 'discard') {
    discard(message.path)
    discardAtEnd.delete(message.path)
    send({ id: message.id, event: 'done' })
  }
}

process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
process.on('SIGTERM', () => void end())
process.stdout.on('error', () => void end())

const lines = createInterface({ input: process.stdin })
lines.on('line', line => {
  if (ending) return
  const message = JSON.parse(line)
  handle(message).catch(error => send({ id: message.id, event: 'failed', message: error.message }))
})
lines.on('close', () => void end())
