/** A template as a statement with parameters: what is prepared for all texts that share it. */
import { INT4, INT8, type Literals } from './literals.ts'
import { PLACEHOLDER } from './lexer.ts'
import type { TemplateParse } from './plan.ts'
import { CONTINUES } from './scan.ts'

/** pg_type.dat */
const INT4_OID = 23
const INT8_OID = 20

/**
 * `literals` are those of one text of the template. Integers get the type that Postgres's own lexer gives them; a quoted
 * literal is of unknown type there, and so is its parameter.
 */
export function templateParse(template: string, literals: Literals): TemplateParse {
  const types: number[] = []
  let text = ''
  for (let i = 0; i < template.length; i++) {
    if (template.charCodeAt(i) <= PLACEHOLDER) text += template[i]
    else {
      const kind = literals.kinds[types.length]
      types.push(kind === INT4 ? INT4_OID : kind === INT8 ? INT8_OID : 0)
      // A word may follow without a blank: `x='a'AND`.
      text += CONTINUES[template.charCodeAt(i + 1)] === 1 ? `$${types.length} ` : `$${types.length}`
    }
  }
  const tail = Buffer.alloc(3 + 4 * types.length)
  tail.writeUInt16BE(types.length, 1)
  for (const [i, type] of types.entries()) tail.writeUInt32BE(type, 3 + 4 * i)
  // The template is bytes of UTF-8, one to a character.
  const bytes = Buffer.from(text, 'latin1')
  return { rest: Buffer.concat([bytes, tail]), textLength: bytes.length, types }
}
