import { BlockList, isIP } from 'node:net';

/** The host of a URL without the brackets of an IPv6 address. */
export function hostNameOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** The port of a URL, also where it is the default. */
export function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** IP networks. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) counts as its IPv4 one. */
export class Networks {
  readonly #networks: readonly string[];
  #made: BlockList | undefined;

  /** @param networks valid, as in `10.0.0.0/8`. */
  constructor(...networks: readonly string[]) {
    this.#networks = networks;
  }

  /** Made when an address is first looked up, as most runs of a command see none. */
  get #list(): BlockList {
    if (this.#made !== undefined) return this.#made;
    const list = new BlockList();
    for (const network of this.#networks) {
      const [address = '', prefix] = network.split('/');
      list.addSubnet(address, Number(prefix), familyOf(address));
    }
    this.#made = list;
    return list;
  }

  /**
   * Adds an address or a network.
   *
   * @returns false when the text is neither.
   */
  add(text: string): boolean {
    const [, address = '', digits] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
    const longest = isIP(address) === 4 ? 32 : 128;
    const prefix = Number(digits ?? longest);
    if (isIP(address) === 0 || prefix > longest) return false;
    this.#list.addSubnet(address, prefix, familyOf(address));
    return true;
  }

  /** False for a text that is no address. */
  has(address: string): boolean {
    return isIP(address) !== 0 && this.#list.check(address, familyOf(address));
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

const LOOPBACK = new Networks('127.0.0.0/8', '::1/128');

/**
 * True for a name that means this machine whatever the resolver says.
 *
 * @param name lower case, without brackets.
 */
export function isLoopback(name: string): boolean {
  return name === 'localhost' || LOOPBACK.has(name);
}

/**
 * True for an IP address that a public peer has no business to send us to: loopback, link-local
 * (home of cloud metadata services), private, shared, unspecified, multicast and reserved networks.
 * So is an IPv6 address that only wraps such an IPv4 one.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export function isPrivateAddress(address: string): boolean {
  const [withoutZone = ''] = address.split('%', 1);
  return PRIVATE.has(withoutZone);
}

const PRIVATE = new Networks(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
  // Unspecified, loopback and the deprecated IPv4-compatible addresses.
  '::/96',
  // NAT64 with a local prefix, and the well-known prefix before private IPv4 addresses.
  '64:ff9b:1::/48',
  '64:ff9b::a00:0/104',
  '64:ff9b::7f00:0/104',
  '64:ff9b::a9fe:0/112',
  '64:ff9b::ac10:0/108',
  '64:ff9b::c0a8:0/112',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
);
