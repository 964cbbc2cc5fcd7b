/** Which rule of [auth] hba_file speaks for a client: the first that matches, as in Postgres. */
import { BlockList, isIP, isIPv4 } from 'node:net'
import type { HbaMethod, HbaName, HbaRule } from '../config/hba-file.ts'

export interface HbaClient {
  /** As the socket says it. */
  readonly address: string
  readonly tls: boolean
  readonly user: string
  readonly database: string
}

interface Compiled {
  readonly rule: HbaRule
  readonly network: BlockList | null
}

export class Hba {
  readonly #rules: readonly Compiled[]

  constructor(rules: readonly HbaRule[]) {
    this.#rules = rules.map(rule => ({ rule, network: blockListOf(rule) }))
  }

  /** Null: no rule speaks for the client, who must not enter. */
  methodFor(client: HbaClient): HbaMethod | null {
    const address = plainAddress(client.address)
    return this.#rules.find(one => matches(one, client, address))?.rule.method ?? null
  }
}

/** An IPv4 client of an IPv6 listener comes as ::ffff:10.0.0.1. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

function blockListOf({ network }: HbaRule): BlockList | null {
  if (network === null) return null
  const list = new BlockList()
  list.addSubnet(network.address, network.bits, familyOf(network.address))
  return list
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6'
}

function matches({ rule, network }: Compiled, client: HbaClient, address: string): boolean {
  if (rule.type === 'local') return false // the proxy listens on TCP only
  if (rule.type === 'hostssl' && !client.tls) return false
  if (rule.type === 'hostnossl' && client.tls) return false
  if (!rule.databases.some(name => named(name, client.database, client.user))) return false
  if (!rule.users.some(name => named(name, client.user, client.user))) return false
  if (network === null || rule.network === null) return true
  // A BlockList takes IPv4 addresses for IPv6 ones too: ::/0 would hold them all.
  return isIP(address) === isIP(rule.network.address) && network.check(address, familyOf(address))
}

function named({ kind, name }: HbaName, wanted: string, user: string): boolean {
  if (kind === 'all') return true
  if (kind === 'sameuser') return wanted === user
  return kind === 'name' && name === wanted
}
