/**
 * Control frames of servers, before anything in them is believed: their lengths, and counts that others read by. Row
 * descriptions are not looked through: whoever reads them minds their end.
 */
import * as code from '../src/protocol/codes.ts'

/** `end - start` is the frame with its header of five bytes. */
export function isWellFormed(type: number, buffer: Buffer, start: number, end: number): boolean {
  const size = end - start
  switch (type) {
    case code.READY: {
      const status = buffer[start + 5]
      return (
        size === 6 && (status === code.IDLE || status === code.IN_TRANSACTION || status === code.IN_FAILED_TRANSACTION)
      )
    }
    case code.PARSE_COMPLETE:
    case code.BIND_COMPLETE:
    case code.CLOSE_COMPLETE:
    case code.NO_DATA:
    case code.EMPTY_QUERY:
    case code.PORTAL_SUSPENDED:
    case code.COPY_DONE:
      return size === 5
    case code.PARAMETER_DESCRIPTION:
      return size >= 7 && size === 7 + 4 * buffer.readUInt16BE(start + 5)
    case code.COMMAND_COMPLETE:
    case code.ERROR_RESPONSE:
    case code.NOTICE:
      return size > 5 && buffer[end - 1] === 0
    case code.PARAMETER_STATUS: {
      const middle = buffer.indexOf(0, start + 5)
      return size > 6 && buffer[end - 1] === 0 && middle > 0 && middle < end - 1
    }
    default:
      return true
  }
}
