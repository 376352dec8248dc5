import { BlockList, isIP } from 'node:net';

import { RegiError } from '../errors.ts';

/** A proxy that connections go through. */
export interface ProxyServer {
  /** Scheme, host and port; nothing secret is in it. */
  readonly url: URL;
  /** Value of `Proxy-Authorization`; undefined when the proxy wants none. */
  readonly authorization: string | undefined;
}

/** The proxy on the way to an origin; undefined when there is none. */
export type ProxyChooser = (origin: URL) => ProxyServer | undefined;

/** A proxy variable that names no proxy that regi can use. Its value is never quoted: it may hold a password. */
export class InvalidProxyError extends RegiError {
  constructor(variable: string, problem: string) {
    super('INVALID_CONFIG', `Cannot use the proxy in ${variable}: ${problem}`, {
      hint: `write it as ${variable}=http://proxy.example:3128, or unset ${variable}`,
    });
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` as Go programs do, upper case before lower case. Loopback never goes through a
 * proxy, and there is no `ALL_PROXY`. A program that serves CGI gets `HTTP_PROXY` from its client's `Proxy` header: it is not believed.
 *
 * @returns a function that throws {InvalidProxyError} where the variable that it needs names no usable proxy: to go around a proxy
 * without being asked is not an answer.
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 */
export function createProxyChooser(env: Environment): ProxyChooser {
  const exceptions = new ProxyExceptions(valueOf(env, 'NO_PROXY')?.value ?? '');
  const isCgi = (env['REQUEST_METHOD'] ?? '') !== '';
  return (origin) => {
    const found =
      origin.protocol === 'https:'
        ? valueOf(env, 'HTTPS_PROXY')
        : isCgi
          ? undefined
          : valueOf(env, 'HTTP_PROXY');
    if (found === undefined || exceptions.covers(origin)) return undefined;
    return parseProxy(found);
  };
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

function valueOf(env: Environment, upper: string): Variable | undefined {
  const name = [upper, upper.toLowerCase()].find((candidate) => (env[candidate] ?? '') !== '');
  return name === undefined ? undefined : { name, value: env[name] ?? '' };
}

function parseProxy({ name, value }: Variable): ProxyServer {
  const text = value.includes('://') ? value : `http://${value}`;
  if (/^socks/i.test(text))
    throw new InvalidProxyError(
      name,
      'socks is not supported; expected a proxy over http or https',
    );
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw new InvalidProxyError(name, 'expected http://HOST:PORT, https://HOST:PORT or HOST:PORT');
  }
  return { url: new URL(url.origin), authorization: authorizationOf(url, name) };
}

function authorizationOf({ username, password }: URL, variable: string): string | undefined {
  if (username === '' && password === '') return undefined;
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
  } catch {
    throw new InvalidProxyError(variable, 'expected user and password to be percent-encoded');
  }
}

interface HostException {
  /** With the dot that stands before it. */
  readonly suffix: string;
  readonly includesItself: boolean;
  readonly port: string | undefined;
}

interface AddressException {
  readonly addresses: BlockList;
  readonly port: string | undefined;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** What `NO_PROXY` lists: `*`, addresses, networks, and domains with or without their subdomains; each but a network may have a port. */
class ProxyExceptions {
  readonly #hosts: HostException[] = [];
  readonly #addresses: AddressException[] = [];
  #isAll = false;

  constructor(list: string) {
    for (const entry of list.split(',')) this.#add(entry.trim().toLowerCase());
  }

  covers({ hostname, protocol, port }: URL): boolean {
    // `localhost.` is localhost, and BlockList knows [::ffff:127.0.0.1] for 127.0.0.1: else a request leaves by a proxy that the list keeps it from.
    const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    const asked = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
    const isAt = (rule: { readonly port: string | undefined }): boolean =>
      rule.port === undefined || rule.port === asked;
    const version = isIP(host);
    if (host === 'localhost' || this.#isAll) return true;
    if (version === 0) {
      return this.#hosts.some(
        (rule) =>
          isAt(rule) &&
          (host.endsWith(rule.suffix) || (rule.includesItself && host === rule.suffix.slice(1))),
      );
    }
    const family = version === 4 ? 'ipv4' : 'ipv6';
    return (
      LOOPBACK.check(host, family) ||
      this.#addresses.some((rule) => isAt(rule) && rule.addresses.check(host, family))
    );
  }

  #add(entry: string): void {
    // Of an empty list too: Node compiles its pattern of addresses when it is first asked for one, which takes milliseconds.
    if (entry === '') return;
    if (entry === '*') this.#isAll = true;
    const [, network = '', bits = ''] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
    const version = isIP(network);
    if (version !== 0) {
      if (Number(bits) <= (version === 4 ? 32 : 128))
        this.#addNetwork(network, Number(bits), undefined);
      return;
    }
    const { host, port } = splitPort(entry);
    const single = isIP(host);
    if (single !== 0) return this.#addNetwork(host, single === 4 ? 32 : 128, port);
    const name = host.replace(/^\*(?=\.)/, '').replace(/\.$/, '');
    if (name === '' || name === '.') return;
    const includesItself = !name.startsWith('.');
    this.#hosts.push({ suffix: includesItself ? `.${name}` : name, includesItself, port });
  }

  #addNetwork(network: string, bits: number, port: string | undefined): void {
    const addresses = new BlockList();
    addresses.addSubnet(network, bits, isIP(network) === 4 ? 'ipv4' : 'ipv6');
    this.#addresses.push({ addresses, port });
  }
}

function splitPort(entry: string): { host: string; port: string | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  const host = bracketed ?? plain;
  // Several colons without brackets are an IPv6 address.
  return host === undefined ? { host: entry, port: undefined } : { host, port };
}
