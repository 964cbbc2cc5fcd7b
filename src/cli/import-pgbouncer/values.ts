/** Values of shardway.toml, and how those of pgbouncer.ini become them. */
import { ImportError, type readUserlist } from './ini.ts'

export interface Note {
  readonly setting: string
  readonly at: string
  readonly note: string
}

export type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value }
export type Table = Record<string, Value>

export type Userlist = ReturnType<typeof readUserlist>

/** Seconds → a duration of shardway.toml. */
export function seconds(text: string, at: string): string {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new ImportError(`${at}: "${text}" is no time`)
  return value === 0 ? '0' : Number.isInteger(value) ? `${value}s` : `${Math.round(value * 1000)}ms`
}

export function whole(text: string, at: string): number {
  if (!/^\d+$/.test(text.trim())) throw new ImportError(`${at}: "${text}" is no whole number`)
  return Number(text)
}
