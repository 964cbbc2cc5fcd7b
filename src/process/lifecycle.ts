/** Signals of the control process. The first SIGTERM drains; a second one, or SIGINT, ends at once; SIGHUP reloads. */

export interface Lifecycle {
  drain(): void
  stop(exitCode: number): void
  reload(): void
}

const SIGINT_EXIT = 130
const SIGTERM_EXIT = 143

/** Returns what takes the handlers away again. */
export function onSignals(lifecycle: Lifecycle, source: NodeJS.EventEmitter = process): () => void {
  let draining = false
  const handlers = {
    SIGTERM: (): void => {
      if (draining) return lifecycle.stop(SIGTERM_EXIT)
      draining = true
      lifecycle.drain()
    },
    SIGINT: (): void => lifecycle.stop(SIGINT_EXIT),
    SIGHUP: (): void => lifecycle.reload(),
  }
  for (const [signal, handler] of Object.entries(handlers)) source.on(signal, handler)
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) source.off(signal, handler)
  }
}
