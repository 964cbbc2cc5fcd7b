/** Loaded into Shardway's processes by `--import`: SIGUSR2 collects all garbage and writes down what is left, as a log line. */
import { getHeapSpaceStatistics } from 'node:v8'

process.on('SIGUSR2', () => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  // Of a size of its own, whatever lives: it is empty now, and its pages are still there.
  const young = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')?.physical_space_size ?? 0
  process.stdout.write(`${JSON.stringify({ gcOf: process.pid, rss: rss - young, heapUsed, external, arrayBuffers })}\n`)
})
