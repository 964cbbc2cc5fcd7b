/** Turns zod's issues into one line each: where, what was found, what is allowed. */
import type { z } from 'zod'
import { isSecretPath } from './secrets.ts'

type Issue = z.core.$ZodIssue

/** `['databases', 0, 'name']` → `databases[0].name`. */
export function pathText(path: ReadonlyArray<PropertyKey>): string {
  let text = ''
  for (const part of path) {
    text += typeof part === 'number' ? `[${part}]` : text === '' ? String(part) : `.${String(part)}`
  }
  return text === '' ? '(the file)' : text
}

/** One line per mistake. `raw` is what was parsed from the file, `schema` what it was held against. */
export function problemLines(issues: readonly Issue[], raw: unknown, schema: z.core.$ZodType): string[] {
  const lines: string[] = []
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') {
      const known = namesAt(schema, issue.path)
      for (const key of issue.keys) {
        const near = nearest(key, known)
        const meant = near === null ? '' : ` (did you mean "${near}"?)`
        lines.push(`${pathText([...issue.path, key])}: unknown name${meant}, allowed: ${known.join(', ')}`)
      }
      continue
    }
    lines.push(`${pathText(issue.path)}: ${foundText(raw, issue.path)}, allowed: ${allowedText(issue)}`)
  }
  return lines
}

function allowedText(issue: Issue): string {
  if (issue.code === 'invalid_value') return issue.values.map(value => String(value)).join(', ')
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    const expected = issue.expected === 'object' ? 'table' : issue.expected
    return expected === 'array' ? 'a list' : `a ${expected}`
  }
  if (issue.code === 'too_small' && issue.message.startsWith('Too small')) {
    return issue.origin === 'string' ? 'a text that is not empty' : `${String(issue.minimum)} or more`
  }
  return issue.message
}

function foundText(raw: unknown, path: ReadonlyArray<PropertyKey>): string {
  const value = valueAt(raw, path)
  if (value === undefined) return 'missing'
  // A date is what TOML makes of an unquoted date; anything under a secret's name is not repeated.
  if (isSecretPath(path)) return `found a ${Array.isArray(value) ? 'list' : typeof value}`
  if (value instanceof Date) return 'found a date'
  if (Array.isArray(value)) return value.length === 0 ? 'found an empty list' : 'found a list'
  if (typeof value === 'object' && value !== null) return 'found a table'
  const text = typeof value === 'string' ? JSON.stringify(value) : `${value as number | boolean | bigint}`
  return `found ${text.length > 80 ? `${text.slice(0, 77)}…"` : text}`
}

function valueAt(raw: unknown, path: ReadonlyArray<PropertyKey>): unknown {
  let value: unknown = raw
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<PropertyKey, unknown>)[part]
  }
  return value
}

type Definition = z.core.$ZodTypes['_zod']['def']

function definition(schema: z.core.$ZodType): Definition {
  return (schema as unknown as { readonly def: Definition }).def
}

/** Names that the schema knows at a path, through defaults, optionals, transforms and lists. */
function namesAt(schema: z.core.$ZodType, path: ReadonlyArray<PropertyKey>): string[] {
  let at: z.core.$ZodType | undefined = core(schema)
  for (const part of path) {
    if (at === undefined) return []
    const def = definition(at)
    if (def.type === 'object') at = core(def.shape[String(part)])
    else if (def.type === 'array') at = core(def.element)
    else return []
  }
  if (at === undefined) return []
  const def = definition(at)
  return def.type === 'object' ? Object.keys(def.shape) : []
}

function core(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let at = schema
  while (at !== undefined) {
    const def = definition(at)
    if (def.type === 'pipe') at = def.in
    else if (def.type === 'default' || def.type === 'prefault' || def.type === 'optional' || def.type === 'nullable') {
      at = def.innerType
    } else return at
  }
  return undefined
}

/** The known name within two edits, if there is one. */
function nearest(name: string, known: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Math.min(3, Math.ceil(name.length / 2) + 1)
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(substituted, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
