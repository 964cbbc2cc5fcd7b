import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until the condition gives something other than undefined or false. Errors of it count as "not yet". */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<Exclude<T, undefined | false>> {
  const timeoutMs = options.timeoutMs ?? 30_000
  const deadline = performance.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
      last = undefined
    } catch (error) {
      if (error instanceof GiveUp) throw error
      last = error
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, last === undefined ? {} : { cause: last })
    }
    await sleep(options.everyMs ?? 25)
  }
}

/** Thrown by a condition that will never hold: ends the wait at once. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp'
}
