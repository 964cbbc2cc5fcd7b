/**
 * Logs: one JSON object a line on stdout, with the field names of the Elastic Common Schema
 * (https://www.elastic.co/docs/reference/ecs). Values of secrets never get here; the paths below are the second lock.
 */
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino'
import { ShardwayError } from '../errors/shardway-error.ts'

export type Log = Logger

export interface LogOptions {
  readonly level: string
  readonly version?: string
  /** Worker index, or absent for the control process. */
  readonly worker?: number
  /** Where lines go instead of stdout. */
  readonly destination?: DestinationStream
}

const SECRETS = ['password', 'server_password', 'control_password', 'secret', 'redis']
const REDACT = SECRETS.flatMap(name => [name, `*.${name}`, `*.*.${name}`, `*[*].${name}`, `*.*[*].${name}`])

export function createLog(options: LogOptions): Log {
  const settings: LoggerOptions = {
    level: options.level,
    messageKey: 'message',
    timestamp: () => `,"@timestamp":"${new Date().toISOString()}"`,
    base: {
      'ecs.version': '9.0.0',
      'service.name': 'shardway',
      ...(options.version === undefined ? {} : { 'service.version': options.version }),
      'process.pid': process.pid,
      ...(options.worker === undefined ? {} : { 'shardway.worker': options.worker }),
    },
    formatters: {
      level: label => ({ 'log.level': label }),
      log: ecsFields,
    },
    redact: { paths: REDACT, censor: '********' },
  }
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination)
}

/** `{event, error}` under their ECS names; everything else as it is. */
export function ecsFields(fields: Record<string, unknown>): Record<string, unknown> {
  const { event, error, err, ...rest } = fields
  const found = error ?? err
  return {
    ...rest,
    ...(typeof event === 'string' ? { 'event.action': event } : {}),
    ...(found === undefined ? {} : errorFields(found)),
  }
}

function errorFields(error: unknown): Record<string, unknown> {
  if (error instanceof ShardwayError) {
    return {
      'error.code': error.code,
      'error.type': error.name,
      'error.message': error.message,
      'error.sqlstate': error.sqlstate,
      ...(error.hint === undefined ? {} : { 'error.hint': error.hint }),
      'error.stack_trace': error.stack,
    }
  }
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code
    return {
      ...(code === undefined ? {} : { 'error.code': code }),
      'error.type': error.name,
      'error.message': error.message,
      'error.stack_trace': error.stack,
    }
  }
  return { 'error.message': String(error) }
}
