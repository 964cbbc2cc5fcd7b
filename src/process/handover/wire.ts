/** What two proxies of one state file say to each other, a line of JSON each. docs/internals/handover.md */
import type { Socket } from 'node:net'
import { z } from 'zod'

/** A line is short; anything longer comes from somebody else. */
const MAX_LINE = 4096

const schema = z.discriminatedUnion('type', [
  /** Whoever holds the file says it first. */
  z.strictObject({ type: z.literal('holder'), pid: z.int() }),
  z.strictObject({ type: z.literal('take'), pid: z.int() }),
  /** Nothing is written any more, and no replica is trusted. */
  z.strictObject({ type: z.literal('yielded') }),
  z.strictObject({ type: z.literal('refused'), reason: z.string() }),
  /** The successor listens. */
  z.strictObject({ type: z.literal('serving') }),
  /** The holder listens no more. */
  z.strictObject({ type: z.literal('left') }),
  /** A cancel request whose key is none of the successor's. */
  z.strictObject({ type: z.literal('cancel'), pid: z.int(), secret: z.string() }),
])

export type HandoverMessage = z.infer<typeof schema>

export function say(socket: Socket, message: HandoverMessage): void {
  socket.write(`${JSON.stringify(message)}\n`)
}

/** Calls for each message; a line that is none ends the connection. */
export function listen(socket: Socket, onMessage: (message: HandoverMessage) => void): void {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('error', () => undefined) // 'close' follows
  socket.on('data', (chunk: string) => {
    text += chunk
    for (let end = text.indexOf('\n'); end >= 0 && !socket.destroyed; end = text.indexOf('\n')) {
      const message = parse(text.slice(0, end))
      text = text.slice(end + 1)
      if (message === null) socket.destroy()
      else onMessage(message)
    }
    if (text.length > MAX_LINE) socket.destroy()
  })
}

function parse(line: string): HandoverMessage | null {
  try {
    return schema.safeParse(JSON.parse(line)).data ?? null
  } catch {
    return null
  }
}
