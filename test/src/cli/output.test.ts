import { describe, expect, it } from 'vitest'
import { jsonText, tableText } from '../../../src/cli/output.ts'

const result = {
  tag: 'SHOW',
  columns: [
    { name: 'name', number: false },
    { name: 'count', number: true },
  ],
  rows: [
    ['äö', '7'],
    ['x\u001b[31m', null],
    ['big', '9007199254740993'],
  ],
}

describe('output', () => {
  it('is a table for people, with nothing that moves the terminal', () => {
    expect(tableText(result)).toBe(
      [
        'name               count',
        '──────  ────────────────',
        'äö                     7',
        'x\uFFFD[31m',
        'big     9007199254740993',
        '',
      ].join('\n'),
    )
    expect(tableText({ tag: 'RELOAD', columns: [], rows: [] })).toBe('RELOAD\n')
  })

  it('is JSON for programs, with numbers where they fit', () => {
    expect(JSON.parse(jsonText(result))).toEqual([
      { name: 'äö', count: 7 },
      { name: 'x\u001b[31m', count: null },
      { name: 'big', count: '9007199254740993' },
    ])
    expect(jsonText({ tag: 'RELOAD', columns: [], rows: [] })).toBe('{"done":"RELOAD"}\n')
  })
})
