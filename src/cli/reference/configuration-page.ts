import { z } from 'zod'
import { DURATION_PATTERN, SIZE_PATTERN } from '../../config/durations.ts'
import { configSchema } from '../../config/schema.ts'
import { code, table } from './markdown.ts'

interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
}

export function publishedSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(configSchema, { io: 'input' })
  return { ...schema, title: 'shardway.toml' }
}

export function configurationPage(): string {
  const root = publishedSchema() as Node
  const sections: string[] = []
  for (const [name, node] of Object.entries(root.properties ?? {})) section(name, node, sections)
  return `# shardway.toml

Every name that the file may hold. A wrong file stops the start with each mistake named; at a reload it changes nothing.
Durations are written \`500ms\`, \`10s\`, \`5m\`, \`1h\`; sizes \`512KiB\`, \`64MiB\`, \`1GiB\`. File names are relative to the file.
Editors that know JSON Schema for TOML can use [config.schema.json](config.schema.json).

${sections.join('\n')}`
}

function section(path: string, node: Node, sections: string[]): void {
  const inner = node.type === 'array' && node.items?.properties !== undefined ? node.items : node
  if (inner.properties === undefined) return
  const title = inner === node ? `[${path}]` : `[[${path}]]`
  const nested: Array<[string, Node]> = []
  const rows: string[][] = []
  const required = new Set(inner.required)
  for (const [name, one] of Object.entries(inner.properties)) {
    if (one.properties !== undefined || one.items?.properties !== undefined) {
      nested.push([name, one])
      continue
    }
    rows.push([code(name), kind(one), preset(one, required.has(name)), one.description ?? ''])
  }
  const about = node.description === undefined ? '' : `${node.description}.\n\n`
  if (rows.length > 0) sections.push(`## ${title}\n\n${about}${table(['name', 'value', 'default', 'meaning'], rows)}\n`)
  for (const [name, one] of nested) section(`${path}.${name}`, one, sections)
}

function kind(node: Node): string {
  if (node.enum !== undefined) return node.enum.map(value => code(String(value))).join(', ')
  if (node.pattern === DURATION_PATTERN.source) return 'duration'
  if (node.pattern === SIZE_PATTERN.source) return 'size'
  if (node.anyOf !== undefined) return node.anyOf.map(kind).join(' or ')
  if (node.type === 'array') return `list of ${node.items === undefined ? 'anything' : kind(node.items)}`
  if (node.type === 'integer') return 'whole number'
  if (node.type === 'boolean') return '`true`, `false`'
  return 'text'
}

function preset(node: Node, required: boolean): string {
  if (required && node.default === undefined) return 'required'
  if (node.default === undefined) return ''
  return code(JSON.stringify(node.default))
}
