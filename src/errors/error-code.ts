/** One row of the table of errors. */
export interface ErrorCode {
  /** Five characters. https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly sqlstate: string
  /** FATAL: the connection ends with it. */
  readonly severity: 'ERROR' | 'FATAL'
  /** The message; {names} stand for what is filled in. */
  readonly message: string
  readonly meaning: string
  readonly hint: string
  /** What an operator or developer does about it. */
  readonly remedy: string
}
