/**
 * A forgiving reader over what TOML gave, so that the checks between entries run even where the shape is wrong
 * elsewhere: every mistake is named at once.
 */
export interface Raw {
  readonly path: string
  readonly value: Record<string, unknown>
}

export function rawTable(value: unknown, path: string): Raw {
  return { path, value: typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {} }
}

export function table(raw: Raw, name: string): Raw {
  return rawTable(raw.value[name], raw.path === '' ? name : `${raw.path}.${name}`)
}

export function list(raw: Raw, name: string): Raw[] {
  const value = raw.value[name]
  const path = raw.path === '' ? name : `${raw.path}.${name}`
  return Array.isArray(value) ? value.map((one, index) => rawTable(one, `${path}[${index}]`)) : []
}

export function text(raw: Raw, name: string): string | undefined {
  const value = raw.value[name]
  return typeof value === 'string' ? value : undefined
}

export function texts(raw: Raw, name: string): string[] | undefined {
  const value = raw.value[name]
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : undefined
}

export function isTrue(raw: Raw, name: string): boolean {
  return raw.value[name] === true
}
