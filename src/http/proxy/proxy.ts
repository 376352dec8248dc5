import { isIP } from 'node:net';

import { InvalidConfigError } from '../../errors.ts';
import { hostNameOf, isLoopback, Networks, portOf } from '../address.ts';

interface ProxyAddress {
  /** Scheme, host and port; nothing secret. */
  readonly url: URL;
  /** The environment variable that names the proxy. */
  readonly variable: string;
}

/** A proxy that opens tunnels by CONNECT, and forwards requests over plain http. */
export interface HttpProxy extends ProxyAddress {
  readonly kind: 'http';
  /** Value of `Proxy-Authorization`; undefined for a proxy without login. */
  readonly authorization: string | undefined;
}

/** A proxy that opens tunnels by SOCKS5. Its URL always has a port. */
export interface SocksProxy extends ProxyAddress {
  readonly kind: 'socks5';
  /** Undefined for a proxy without login. */
  readonly login: ProxyLogin | undefined;
}

interface ProxyLogin {
  readonly user: string;
  readonly password: string;
}

/** A proxy for connections. */
export type ProxyServer = HttpProxy | SocksProxy;

/** Returns the proxy for an origin; undefined for a direct connection. */
export type ProxyChooser = (origin: URL) => ProxyServer | undefined;

/**
 * A proxy variable that regi cannot use. Its value is never quoted, because it may hold a password.
 */
function invalidProxy(variable: string, problem: string): InvalidConfigError {
  return new InvalidConfigError(`Cannot use the proxy in ${variable}: ${problem}`, {
    hint: `write it as ${variable}=http://proxy.example:3128, or unset ${variable}`,
  });
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` as Go programs do, upper case before lower case.
 * `ALL_PROXY` holds where the variable of the scheme is unset, as in curl. Loopback never goes
 * through a proxy. Under CGI, `HTTP_PROXY` comes from the client's `Proxy` header and is ignored.
 *
 * @returns a function that throws {InvalidConfigError} where its variable is unusable: bypassing a
 *   proxy unasked is not an option.
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 */
export function createProxyChooser(env: Environment): ProxyChooser {
  const exceptions = new ProxyExceptions(valueOf(env, 'NO_PROXY')?.value ?? '');
  const isCgi = (env['REQUEST_METHOD'] ?? '') !== '';
  return (origin) => {
    const isTls = origin.protocol === 'https:';
    const own = isTls || !isCgi ? valueOf(env, isTls ? 'HTTPS_PROXY' : 'HTTP_PROXY') : undefined;
    const found = own ?? valueOf(env, 'ALL_PROXY');
    return found === undefined || exceptions.covers(origin) ? undefined : parseProxy(found);
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

const SOCKS_SCHEMES: ReadonlySet<string> = new Set(['socks5:', 'socks5h:']);
const SOCKS_PORT = '1080';

function parseProxy({ name, value }: Variable): ProxyServer {
  const text = value.includes('://') ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSocks = url !== undefined && SOCKS_SCHEMES.has(url.protocol);
  if (url !== undefined && !isSocks && url.protocol.startsWith('socks'))
    throw invalidProxy(name, 'of socks, expected socks5://HOST:PORT or socks5h://HOST:PORT');
  if (
    url === undefined ||
    !(isSocks || ['http:', 'https:'].includes(url.protocol)) ||
    url.hostname === ''
  )
    throw invalidProxy(
      name,
      'expected http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or HOST:PORT',
    );
  const login = loginOf(url, name);
  if (!isSocks) {
    const authorization = login && basicOf(login);
    return { kind: 'http', url: new URL(url.origin), variable: name, authorization };
  }
  if (login !== undefined && Object.values(login).some(isTooLongForSocks))
    throw invalidProxy(name, 'expected user and password of at most 255 bytes each');
  const host = `${url.protocol}//${url.hostname}:${url.port || SOCKS_PORT}`;
  return { kind: 'socks5', url: new URL(host), variable: name, login };
}

function loginOf({ username, password }: URL, variable: string): ProxyLogin | undefined {
  if (username === '' && password === '') return undefined;
  try {
    return { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    throw invalidProxy(variable, 'expected user and password to be percent-encoded');
  }
}

function basicOf({ user, password }: ProxyLogin): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

/** @see https://www.rfc-editor.org/rfc/rfc1929#section-2 */
function isTooLongForSocks(text: string): boolean {
  return Buffer.byteLength(text) > 255;
}

interface HostException {
  /** With its leading dot. */
  readonly suffix: string;
  readonly includesItself: boolean;
  readonly port: number | undefined;
}

interface AddressException {
  readonly addresses: Networks;
  readonly port: number | undefined;
}

/**
 * The list in `NO_PROXY`: `*`, addresses, networks, and domains with or without their subdomains.
 * Each but a network may have a port.
 */
class ProxyExceptions {
  readonly #hosts: HostException[] = [];
  readonly #addresses: AddressException[] = [];
  #isAll = false;

  constructor(list: string) {
    for (const entry of list.split(',')) this.#add(entry.trim().toLowerCase());
  }

  covers(origin: URL): boolean {
    // `localhost.` is localhost. A miss here would send a request through a proxy that the list
    // forbids.
    const host = hostNameOf(origin).replace(/\.$/, '');
    const port = portOf(origin);
    if (this.#isAll || isLoopback(host)) return true;
    const isAt = (rule: { readonly port: number | undefined }): boolean =>
      rule.port === undefined || rule.port === port;
    if (isIP(host) !== 0)
      return this.#addresses.some((rule) => isAt(rule) && rule.addresses.has(host));
    return this.#hosts.some(
      (rule) =>
        isAt(rule) &&
        (host.endsWith(rule.suffix) || (rule.includesItself && host === rule.suffix.slice(1))),
    );
  }

  #add(entry: string): void {
    // Also for an empty list: Node's first look for an address compiles its pattern, which takes
    // milliseconds.
    if (entry === '') return;
    if (entry === '*') this.#isAll = true;
    const { host, port } = splitPort(entry);
    const addresses = new Networks();
    if (addresses.add(host)) return void this.#addresses.push({ addresses, port });
    const name = host.replace(/^\*(?=\.)/, '').replace(/\.$/, '');
    if (name === '' || name === '.') return;
    const includesItself = !name.startsWith('.');
    this.#hosts.push({ suffix: includesItself ? `.${name}` : name, includesItself, port });
  }
}

function splitPort(entry: string): { host: string; port: number | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  const host = bracketed ?? plain;
  // Several colons without brackets are an IPv6 address.
  if (host === undefined) return { host: entry, port: undefined };
  return { host, port: port === undefined ? undefined : Number(port) };
}
