/**
 * Message type bytes and request codes of the frontend/backend protocol.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

// Frontend
export const BIND = 0x42 // B
export const CLOSE = 0x43 // C
export const DESCRIBE = 0x44 // D
export const EXECUTE = 0x45 // E
export const FUNCTION_CALL = 0x46 // F
export const FLUSH = 0x48 // H
export const PARSE = 0x50 // P
export const QUERY = 0x51 // Q
export const SYNC = 0x53 // S
export const TERMINATE = 0x58 // X
export const PASSWORD = 0x70 // p, also SASL responses
export const COPY_DATA = 0x64 // d, both ways
export const COPY_DONE = 0x63 // c, both ways
export const COPY_FAIL = 0x66 // f

// Backend
export const PARSE_COMPLETE = 0x31 // 1
export const BIND_COMPLETE = 0x32 // 2
export const CLOSE_COMPLETE = 0x33 // 3
export const NOTIFICATION = 0x41 // A
export const COMMAND_COMPLETE = 0x43 // C
export const DATA_ROW = 0x44 // D
export const ERROR_RESPONSE = 0x45 // E
export const COPY_IN_RESPONSE = 0x47 // G
export const COPY_OUT_RESPONSE = 0x48 // H
export const EMPTY_QUERY = 0x49 // I
export const BACKEND_KEY = 0x4b // K
export const NOTICE = 0x4e // N
export const AUTHENTICATION = 0x52 // R
export const PARAMETER_STATUS = 0x53 // S
export const ROW_DESCRIPTION = 0x54 // T
export const FUNCTION_RESPONSE = 0x56 // V
export const READY = 0x5a // Z
export const NO_DATA = 0x6e // n
export const PORTAL_SUSPENDED = 0x73 // s
export const PARAMETER_DESCRIPTION = 0x74 // t
export const NEGOTIATE_VERSION = 0x76 // v

// First packets, which carry no type byte
export const PROTOCOL_3_0 = 196608
export const PROTOCOL_3_2 = 196610
export const CANCEL_REQUEST = 80877102
export const SSL_REQUEST = 80877103
export const GSS_REQUEST = 80877104

// Transaction status in ReadyForQuery
export const IDLE = 0x49 // I
export const IN_TRANSACTION = 0x54 // T
export const IN_FAILED_TRANSACTION = 0x45 // E

/** The largest frame length Postgres itself accepts (PQ_LARGE_MESSAGE_LIMIT, just under 1 GB). */
export const MAX_FRAME_BYTES = 0x3fffffff
