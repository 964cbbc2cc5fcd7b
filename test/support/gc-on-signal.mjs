/** Loaded into Shardway's processes by `--import`: SIGUSR2 collects all garbage and writes down what is left, as a log line. */
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  process.stdout.write(`${JSON.stringify({ gcOf: process.pid, rss, heapUsed, external, arrayBuffers })}\n`)
})
