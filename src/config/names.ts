/** Names as they stand in shardway.toml: `HOST:PORT` and `schema.table`. */

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `10.0.0.1:5432`, `db.example:5432`, `[::1]:5432`. Null when it is none of these. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text)
  if (match === null) return null
  const port = Number(match[3])
  const host = match[1] ?? match[2] ?? ''
  return port >= 1 && port <= 65535 ? { host, port } : null
}

export interface QualifiedName {
  readonly schema: string
  readonly name: string
}

/**
 * `orders` → public.orders; `sales.orders`; `"odd.schema"."Odd name"`. Names are compared with the catalog as they stand:
 * nothing is folded to lower case. Null when the text is no such name.
 */
export function parseQualifiedName(text: string): QualifiedName | null {
  const match = /^(?:("(?:[^"]|"")+"|[^".\s]+)\.)?("(?:[^"]|"")+"|[^".\s]+)$/.exec(text)
  if (match === null) return null
  return { schema: match[1] === undefined ? 'public' : unquote(match[1]), name: unquote(match[2] ?? '') }
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part
}
