import type { A_Const, Node } from '@pgsql/types'
import { ELEMENT, END, TextArrayReader } from '../arrays.ts'
import type { KeySource, KeyType } from '../plan.ts'
import { canonicalInt, canonicalText, canonicalUuid } from '../values.ts'
import type { Analysis } from './analysis.ts'
import { castFamily } from './families.ts'

/** The value is NULL: it equals nothing. */
export const NULL_KEY = 'null'

function constant(family: KeyType, text: string, maxChars: number): KeySource | null {
  let canonical: string | null
  if (family === 'int') canonical = canonicalInt(text)
  else if (family === 'uuid') canonical = canonicalUuid(text)
  else canonical = canonicalText(text, maxChars)
  return canonical === null ? null : { from: 'constant', type: family, text: canonical }
}

/** The literal in the text that this constant is, so that other texts of the template find their own value. */
function literal(a: Analysis, location: number, text: string, family: KeyType, maxChars: number): KeySource | null {
  const literals = a.input.literals
  const index = literals?.indexAt(location) ?? -1
  if (literals === null || index < 0) return null
  const negate = literals.negatedAt(location)
  if ((negate ? `-${literals.text(index)}` : literals.text(index)) !== text) return null
  return { from: 'literal', index, negate, type: family, maxChars }
}

function fromConst(a: Analysis, value: A_Const, family: KeyType, maxChars: number): KeySource | typeof NULL_KEY | null {
  if (value.isnull === true) return NULL_KEY
  let text: string
  if (value.sval !== undefined) text = value.sval.sval ?? ''
  else if (family !== 'int') return null
  else if (value.ival !== undefined) text = String(value.ival.ival ?? 0)
  // Integers past int4 come as floats; a point or exponent makes a numeric, which compares by other rules.
  else if (value.fval !== undefined && /^-?\d+$/.test(value.fval.fval ?? '')) text = value.fval.fval ?? ''
  else return null
  return literal(a, value.location ?? 0, text, family, maxChars) ?? constant(family, text, maxChars)
}

function parameter(a: Analysis, number: number, array: boolean, type: KeyType, maxChars: number): KeySource | null {
  if (number < 1) return null
  const shared = (a.parameters.get(number) ?? 0) > 1
  return { from: 'parameter', index: number - 1, array, type, maxChars, shared }
}

/** The key that an expression is, when it is a constant or parameter whose value the proxy and a server read alike. */
export function scalarKey(
  a: Analysis,
  expression: Node | undefined,
  family: KeyType,
  maxChars = 0,
): KeySource | typeof NULL_KEY | null {
  if (expression === undefined) return null
  if ('A_Const' in expression) return fromConst(a, expression.A_Const, family, maxChars)
  if ('ParamRef' in expression) return parameter(a, expression.ParamRef.number ?? 0, false, family, maxChars)
  if (!('TypeCast' in expression)) return null
  if (castFamily(expression.TypeCast.typeName, false) !== family) return null
  return scalarKey(a, expression.TypeCast.arg, family, maxChars)
}

/** Every element's key; NULLs are left out since they equal nothing. Null when one is not understood or none is left. */
export function listKeys(a: Analysis, items: readonly Node[], family: KeyType, maxChars = 0): KeySource[] | null {
  const keys: KeySource[] = []
  for (const item of items) {
    const key = scalarKey(a, item, family, maxChars)
    if (key === null) return null
    if (key !== NULL_KEY) keys.push(key)
  }
  return keys.length === 0 ? null : keys
}

function arrayLiteral(text: string, family: KeyType): KeySource[] | null {
  const bytes = Buffer.from(text, 'utf8')
  const reader = new TextArrayReader()
  if (!reader.open(bytes, 0, bytes.length)) return null
  const keys: KeySource[] = []
  for (;;) {
    const step = reader.next()
    if (step === END) return keys.length === 0 ? null : keys
    if (step !== ELEMENT) return null
    if (reader.isNull) continue
    const key = constant(family, Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString('utf8'), 0)
    if (key === null) return null
    keys.push(key)
  }
}

/** Keys of the right side of `= ANY (…)`. */
export function arrayKeys(a: Analysis, expression: Node | undefined, family: KeyType): KeySource[] | null {
  if (expression === undefined) return null
  if ('TypeCast' in expression) {
    if (castFamily(expression.TypeCast.typeName, true) !== family) return null
    return arrayKeys(a, expression.TypeCast.arg, family)
  }
  if ('ParamRef' in expression) {
    const key = parameter(a, expression.ParamRef.number ?? 0, true, family, 0)
    return key === null ? null : [key]
  }
  if ('A_ArrayExpr' in expression) return listKeys(a, expression.A_ArrayExpr.elements ?? [], family)
  if (!('A_Const' in expression) || expression.A_Const.sval === undefined) return null
  a.exactOnly = true
  return arrayLiteral(expression.A_Const.sval.sval ?? '', family)
}

/**
 * Family and key of a constant that becomes a column of its own (SELECT 5, VALUES (5)): there its own spelling decides the
 * type, and an unknown literal becomes text.
 */
export function standaloneKey(
  a: Analysis,
  expression: Node | undefined,
): { readonly family: KeyType; readonly key: KeySource | typeof NULL_KEY } | null {
  if (expression === undefined) return null
  const family = standaloneFamily(expression)
  if (family === null) return null
  const key = scalarKey(a, expression, family)
  return key === null ? null : { family, key }
}

function standaloneFamily(expression: Node): KeyType | null {
  if ('TypeCast' in expression) return castFamily(expression.TypeCast.typeName, false)
  if ('ParamRef' in expression) return 'text'
  if (!('A_Const' in expression)) return null
  const { ival, fval, sval } = expression.A_Const
  if (sval !== undefined) return 'text'
  return ival !== undefined || fval !== undefined ? 'int' : null
}
