import { describe, expect, it } from 'vitest'
import { ControlGuard } from '../../pool/control-guard.ts'
import { frame } from '../../src/protocol/backend-messages.ts'
import { authentication } from '../support/scripted-server.ts'

const ERROR = 0x45
const good = Buffer.concat([
  authentication(10, 'SCRAM-SHA-256\0\0'),
  authentication(11, 'r=,s=,i='),
  authentication(12, 'v='),
  authentication(0),
  frame(ERROR, Buffer.from('SERROR\0C42601\0Msyntax error\0\0')),
  frame(0x4e, Buffer.from('\0')),
  frame(0x44, Buffer.concat([Buffer.from([0, 1, 0, 0, 0x27, 0x10]), Buffer.alloc(10_000, 'x')])),
  frame(0x5a, Buffer.from('I')),
])

describe('ControlGuard', () => {
  it('lets everything through that a server says, cut anywhere', () => {
    for (let at = 0; at <= good.length; at += at < 200 ? 1 : 97) {
      const guard = new ControlGuard()
      guard.check(good.subarray(0, at))
      guard.check(good.subarray(at))
      guard.check(good)
    }
    const guard = new ControlGuard()
    for (const byte of good) guard.check(Buffer.from([byte]))
  })

  it.each([
    ['an error without its end', frame(ERROR, Buffer.from('Moops'))],
    ['an error without its last zero', frame(ERROR, Buffer.from('Moops\0'))],
    ['an error of nothing', frame(ERROR, Buffer.alloc(0))],
    ['an error with more behind its end', frame(ERROR, Buffer.from('Moops\0\0x'))],
    ['a notice without its end', frame(0x4e, Buffer.from('Moops'))],
    ['a length of 3', Buffer.from('D\0\0\0\x03', 'latin1')],
    ['a length of 0', Buffer.from('D\0\0\0\0', 'latin1')],
    ['a length of 2 GB', Buffer.from('D\x7f\xff\xff\xff', 'latin1')],
    ['a length below zero', Buffer.from('D\xff\xff\xff\xff', 'latin1')],
    ['a SCRAM exchange that is broken off', Buffer.concat([authentication(10, 'x\0\0'), authentication(0)])],
    ['another request in its middle', Buffer.concat([authentication(11, 'r='), authentication(3)])],
    ['a request without a number', frame(0x52, Buffer.alloc(3))],
    ['an error of 2 MB', Buffer.from('E\0\x20\0\0', 'latin1')],
  ])('throws on %s, before or behind others', (_, bytes) => {
    expect(() => new ControlGuard().check(bytes)).toThrow(/the server (sent|broke off)/)
    expect(() => new ControlGuard().check(Buffer.concat([good, bytes]))).toThrow(/the server (sent|broke off)/)
    const guard = new ControlGuard()
    expect(() => {
      for (const byte of Buffer.concat([good, bytes])) guard.check(Buffer.from([byte]))
    }).toThrow(/the server (sent|broke off)/)
  })
})
