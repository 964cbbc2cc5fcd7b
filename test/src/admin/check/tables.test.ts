import { describe, expect, it } from 'vitest'
import { findingsText, failure, warning } from '../../../../src/admin/check/finding.ts'
import { assignsKey } from '../../../../src/admin/check/tables.ts'

describe('assignsKey', () => {
  it.each([
    'begin new.id := 5; return new; end',
    'BEGIN NEW.id = 5; RETURN NEW; END',
    'begin if true then new."id" := 5; end if; return new; end',
    'begin -- why\n new . id := 5; return new; end',
    'begin select 1 into new.id; return new; end',
    'begin select a, b into new.other, new.id from t; return new; end',
    'begin new := f(new); return new; end',
    'begin select * into new from t; return new; end',
  ])('%s', source => expect(assignsKey(source, 'id')).toBe(true))

  it.each([
    'begin new.other := 5; return new; end',
    'begin new.identity := 5; return new; end',
    'begin if new.id = 5 then raise exception $$x$$; end if; return new; end',
    "begin perform 'x; new.id := 5'; return new; end",
    'begin /* ; new.id := 5 */ return new; end',
    'begin x := new.id; return new; end',
    'begin insert into log values (new.id); return new; end',
    'begin select 1 into new.other; return new; end',
  ])('%s does not', source => expect(assignsKey(source, 'id')).toBe(false))
})

describe('findingsText', () => {
  it('has errors first and counts', () => {
    const text = findingsText([warning('b', 'odd', 'do'), failure('a', 'wrong')])
    expect(text).toBe('error: a: wrong\nwarning: b: odd\n  hint: do\n1 error, 1 warning\n')
    expect(findingsText([])).toBe('everything is right\n')
  })
})
