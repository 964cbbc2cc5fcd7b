/** Runs programs for the other scripts: Ctrl-C ends them, and the script with them. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

/** A step of a script has failed; its output has been seen. */
export class StepFailed extends Error {}

const running = new Set()
let stopped = null

function onSignal(name) {
  stopped = name
  for (const child of running) child.kill(name === 'SIGHUP' ? 'SIGTERM' : name)
}

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP']
for (const name of NAMES) process.on(name, onSignal)

/** From here on the caller minds the signals itself. */
export function handOverSignals() {
  if (stopped !== null) process.exit(130)
  for (const name of NAMES) process.removeListener(name, onSignal)
}

/** Resolves with the exit code. Ends this process when it was told to stop meanwhile. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    if (stopped !== null) process.exit(130)
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options })
    running.add(child)
    child.once('error', error => {
      running.delete(child)
      reject(error)
    })
    child.once('close', code => {
      running.delete(child)
      if (stopped !== null) process.exit(130)
      resolve(code ?? 1)
    })
  })
}

/** As `run`, with the output collected. */
export async function capture(command, args, options = {}) {
  let output = ''
  const code = await new Promise((resolve, reject) => {
    if (stopped !== null) process.exit(130)
    const child = spawn(command, args, { cwd: root, ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    child.stdout.setEncoding('utf8').on('data', text => (output += text))
    child.stderr.setEncoding('utf8').on('data', text => (output += text))
    child.once('error', error => {
      running.delete(child)
      reject(error)
    })
    child.once('close', status => {
      running.delete(child)
      if (stopped !== null) process.exit(130)
      resolve(status ?? 1)
    })
  })
  return { code, output }
}

/** The body of a script: errors become one line, exit code 1. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0
  } catch (error) {
    if (!(error instanceof StepFailed)) console.error(error instanceof Error ? error.message : error)
    else if (error.message !== '') console.error(error.message)
    process.exitCode = 1
  }
}

/** Whether this module is what `node` was called with. */
export function isMain(url) {
  return process.argv[1] !== undefined && fileURLToPath(url) === process.argv[1]
}
