/** The one base class. Nothing matches on message text: `code` and `sqlstate` are what callers look at. */
export class ShardwayError extends Error {
  /** A stable name from the table in `codes.ts`. */
  readonly code: string
  /** Five characters. https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly sqlstate: string
  readonly detail: string | undefined
  readonly hint: string | undefined
  /** 1-based character position in the statement, 0 when none. */
  readonly position: number

  constructor(
    code: string,
    sqlstate: string,
    message: string,
    options: { detail?: string; hint?: string; position?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ShardwayError'
    this.code = code
    this.sqlstate = sqlstate
    this.detail = options.detail
    this.hint = options.hint
    this.position = options.position ?? 0
  }
}
