import { BlockList, isIP } from 'node:net'

/** IPv4 that is not global unicast. @see IANA IPv4 Special-Purpose Address Registry (RFC 6890) */
const SPECIAL_4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  // Where Azure serves each machine its own settings: a public number that never leaves the host
  '168.63.129.16/32',
]
/** IPv6 inside of 2000::/3 that is not global unicast. @see IANA IPv6 Special-Purpose Registry */
const SPECIAL_6 = ['2001::/23', '2001:db8::/32', '3fff::/20', '3ffe::/16']

const listOf = (ranges: readonly string[], family: 'ipv4' | 'ipv6'): BlockList => {
  const list = new BlockList()
  for (const range of ranges) {
    const [net, bits] = range.split('/')
    list.addSubnet(net!, Number(bits), family)
  }
  return list
}
const special4 = listOf(SPECIAL_4, 'ipv4')
const special6 = listOf(SPECIAL_6, 'ipv6')
const unicast6 = listOf(['2000::/3'], 'ipv6')

/** The eight groups of an IPv6 address. */
const groupsOf = (address: string): number[] => {
  const [head, tail] = address.split('::')
  const part = (text: string | undefined): number[] =>
    (text ? text.split(':') : []).flatMap((group) => {
      if (!group.includes('.')) return [parseInt(group, 16)]
      const [a, b, c, d] = group.split('.').map(Number)
      return [a! * 256 + b!, c! * 256 + d!]
    })
  const [left, right] = [part(head), part(tail)]
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}

const dotted = (high: number, low: number): string =>
  [high >> 8, high & 255, low >> 8, low & 255].join('.')

/**
 * IPv4 addresses that an IPv6 one stands for: mapped and compatible (RFC 4291), NAT64 (RFC 6052),
 * 6to4 (RFC 3056), Teredo (RFC 4380), ISATAP (RFC 5214).
 */
const embedded = (groups: readonly number[]): string[] => {
  const [a, b, c, d, e, f, g, h] = groups as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const last = dotted(g, h)
  const zeros = a === 0 && b === 0 && c === 0 && d === 0
  if (zeros && (e === 0 || e === 0xffff) && (f === 0 || f === 0xffff)) return [last]
  if (a === 0x64 && b === 0xff9b && !c && !d && !e && !f) return [last]
  if (a === 0x2002) return [dotted(b, c)]
  if (a === 0x2001 && b === 0) return [dotted(c, d), dotted(g ^ 0xffff, h ^ 0xffff)]
  // The u and g bits may be set (RFC 5214 6.1).
  return (e & 0xfcff) === 0 && f === 0x5efe ? [last] : []
}

/**
 * Whether an address is global unicast, also after the IPv4 addresses inside of it are unwrapped.
 * What is no address at all is not public.
 */
export const isPublic = (address: string): boolean => {
  if (address.includes('%')) return false // a zone: link-local
  const family = isIP(address)
  if (family === 4) return !special4.check(address, 'ipv4')
  if (family !== 6) return false
  const groups = groupsOf(address)
  const inside = embedded(groups)
  if (!inside.every(isPublic)) return false
  // A mapped or NAT64 address is reached as the IPv4 one, which is public here; others below
  // 2000::/3 that carry one are reached by nobody's right.
  if (inside.length && groups[0]! < 0x2000)
    return groups[0] === 0x64 || (groups[4] === 0 && groups[5] === 0xffff)
  return unicast6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
}
