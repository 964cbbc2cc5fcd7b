/** Entry of a data process: joins the mesh, then hands what the control process says to the worker. */
import { rmdirSync } from 'node:fs'
import net from 'node:net'
import { Marks } from '../../pool/marks.ts'
import { loadParser } from '../../router/planner/parse.ts'
import { nowUs } from '../observe/clock.ts'
import { Mesh } from './mesh.ts'
import type { ToControl, ToWorker, Watermark } from './messages.ts'
import { Worker } from './worker.ts'

// Ctrl-C reaches the whole process group. The control process decides what happens then.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('SIGHUP', () => undefined)

const [index, serial, folder] = process.argv.slice(2)
if (index === undefined || serial === undefined || folder === undefined || process.send === undefined) {
  process.stderr.write('this program is started by "shardway serve"\n')
  process.exit(2)
}

function send(message: ToControl): void {
  if (process.connected) process.send?.(message)
}

const marks = new Marks({ nowUs })
const mesh = new Mesh({ marks, folder, serial: Number(serial) })
const worker = new Worker({ index: Number(index), send, marks })
let databases: readonly string[] = []

/** Without a control process nobody fences this one: it must not serve on. The last worker takes the folder along. */
process.on('disconnect', () => {
  mesh.close()
  try {
    rmdirSync(folder)
  } catch {
    // A sibling is still there, or the control process was quicker.
  }
  process.exit(0)
})

/** What all replicas of a database have passed needs no marks any more; without replicas nothing does. */
function prune(watermarks: readonly Watermark[]): void {
  for (const database of databases) {
    let passedUs = Number.POSITIVE_INFINITY
    for (const mark of watermarks) if (mark.database === database) passedUs = Math.min(passedUs, mark.replayedUs)
    marks.prune(database, passedUs === Number.POSITIVE_INFINITY ? nowUs() : passedUs)
  }
}

function runCommand(message: Extract<ToWorker, { type: 'command' }>): void {
  let error: string | null = null
  try {
    worker.command(message.command)
  } catch (caught) {
    error = caught instanceof Error ? caught.message : String(caught)
  }
  send({ type: 'done', request: message.request, error })
}

function receive(message: ToWorker, socket: net.Socket | undefined): void {
  switch (message.type) {
    case 'snapshot':
      if (message.snapshot.topology !== undefined) databases = message.snapshot.topology.databases.map(one => one.name)
      worker.apply(message.snapshot)
      return send({ type: 'acknowledge', sequence: message.sequence })
    case 'watermarks':
      worker.setWatermarks(message.watermarks)
      return prune(message.watermarks)
    case 'client':
      // A client that went away on the way here comes without its socket.
      if (socket === undefined) return send({ type: 'client-closed', id: message.id })
      return worker.addClient(socket, message.id, message.over)
    case 'cancel':
      return worker.cancel(message.pid, message.secret)
    case 'report':
      return send({ type: 'report', request: message.request, report: worker.report() })
    case 'answer':
      return worker.answer(message.request, message.result, message.error, message.fields)
    case 'share':
      return worker.pools.share(message.pool, message.size)
    case 'lend':
      return send({ type: 'returned-share', pool: message.pool, size: worker.pools.lend(message.pool) })
    case 'permit':
      return worker.pools.permit(message.pool, message.reserve)
    case 'yield':
      return worker.pools.yield(message.pool, message.onlyIdle)
    case 'entered':
      return worker.clients.entered(message.id, message.refusal)
    case 'statements':
      return worker.statementsAnswered(message.request, message.refusal)
    case 'paused':
      return worker.pause(message.databases)
    case 'command':
      return runCommand(message)
    case 'drain':
      return worker.drain(message.patient, () => send({ type: 'drained' }))
    case 'catalog-renewed':
      return worker.catalogRenewed(message.request)
    case 'siblings':
      return mesh.setSiblings(message.serials)
  }
}

await Promise.all([loadParser(), mesh.listen()])
let announced = false
process.on('message', (message: ToWorker, handle: unknown) => {
  receive(message, handle instanceof net.Socket ? handle : undefined)
  // Only with its siblings known may it take part: a write of this worker must wait for them.
  if (!announced && message.type === 'siblings') {
    announced = true
    send({ type: 'ready' })
  }
})
