import { inRanges, L_CAT, NOTHING, PROHIBITED, RAND_AL_CAT, SPACES, UNASSIGNED } from './saslprep-tables.ts'

/**
 * SASLprep (RFC 4013) exactly as Postgres applies it to passwords: pure ASCII is taken as it is, control characters
 * included, and a password that may not be prepared is used as it stands instead of being refused. Postgres checks the
 * prohibited characters on the text before normalisation; so do we, or such passwords would fit no stored verifier.
 */
export function saslprep(password: string): string {
  let ascii = true
  for (let i = 0; i < password.length; i++) {
    if (password.charCodeAt(i) > 0x7f) {
      ascii = false
      break
    }
  }
  if (ascii) return password

  const codes: number[] = []
  for (const character of password) {
    const code = character.codePointAt(0) ?? 0
    if (inRanges(SPACES, code)) codes.push(0x20)
    else if (!inRanges(NOTHING, code)) codes.push(code)
  }
  if (codes.length === 0) return password

  for (const code of codes) {
    // Lone surrogates are no text at all.
    if (code >= 0xd800 && code <= 0xdfff) return password
    if (isProhibited(code) || inRanges(UNASSIGNED, code)) return password
  }
  return bidirectionalIsAllowed(codes) ? String.fromCodePoint(...codes).normalize('NFKC') : password
}

function isProhibited(code: number): boolean {
  return code < 0x20 || code === 0x7f || inRanges(PROHIBITED, code)
}

/** RFC 3454 section 6: right-to-left text has no left-to-right character and both begins and ends right-to-left. */
function bidirectionalIsAllowed(codes: readonly number[]): boolean {
  if (!codes.some(code => inRanges(RAND_AL_CAT, code))) return true
  if (codes.some(code => isLeftToRight(code))) return false
  return inRanges(RAND_AL_CAT, codes[0] ?? 0) && inRanges(RAND_AL_CAT, codes.at(-1) ?? 0)
}

function isLeftToRight(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || inRanges(L_CAT, code)
}
