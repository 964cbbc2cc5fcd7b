import { describe, expect, it } from 'vitest'
import { saslprep } from '../../../src/protocol/saslprep.ts'

describe('saslprep, as Postgres does it', () => {
  it.each([
    ['ASCII stays, control characters too', 'a\tb\x01', 'a\tb\x01'],
    ['empty', '', ''],
    ['RFC 4013: soft hyphen goes', 'I\u00adX', 'IX'],
    ['RFC 4013: ª becomes a', '\u00aa', 'a'],
    ['RFC 4013: Roman nine', '\u2168', 'IX'],
    ['no-break space becomes a space', 'a\u00a0b', 'a b'],
    ['composed', 'e\u0301', 'é'],
    ['RFC 4013: right-to-left with a digit behind is left raw', '\u06271', '\u06271'],
    ['right-to-left', '\ufefb', '\u0644\u0627'],
    ['mixed directions are left raw', 'a\u0627\u2168', 'a\u0627\u2168'],
    ['unassigned in Unicode 3.2 is left raw, all of it', '\u2168😀', '\u2168😀'],
    ['prohibited is left raw', '\u2168\u0007', '\u2168\u0007'],
    ['private use is left raw', '\u2168\ue000', '\u2168\ue000'],
    ['only characters that go', '\u00ad', '\u00ad'],
    ['lone surrogate', '\u2168\ud800', '\u2168\ud800'],
  ])('%s', (_, password, expected) => {
    expect(saslprep(password)).toBe(expected)
  })
})
