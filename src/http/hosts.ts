import { BlockList, isIP } from 'node:net';

import { RegiError } from '../errors.ts';
import { printable } from '../redact.ts';
import type { TlsSettings } from './tls.ts';

export type Scheme = 'http' | 'https';

/** How a registry is contacted. */
export interface HostSettings {
  /** To be tried in this order. */
  readonly schemes: readonly Scheme[];
  /** Whether https must prove who it is. */
  readonly verify: boolean;
}

/** Exceptions to https with a verified certificate, and additional authorities. */
export interface HostRules {
  /** HOST, HOST:PORT or a CIDR: https unverified, then http, as docker does. */
  readonly insecureRegistries?: readonly string[] | undefined;
  /** HOST or HOST:PORT: http only. */
  readonly plainHttp?: readonly string[] | undefined;
  /** HOST or HOST:PORT: https only, unverified. */
  readonly tlsSkipVerify?: readonly string[] | undefined;
  /** PEM of authorities that are trusted besides those of the system. */
  readonly ca?: string | undefined;
}

/** A host named in a flag, variable or config that cannot be one. */
export class InvalidHostRuleError extends RegiError {
  constructor(text: string, expected: string) {
    super(
      'USAGE',
      `Cannot use "${printable(text, 160)}" as the name of a registry host: expected ${expected}`,
      {
        hint: 'write it as in a reference, such as registry.example:5000, without https:// and path',
      },
    );
  }
}

/**
 * Which registries may be contacted without proof of who they are. Only what was named is loosened, and loopback as typed: `localhost`,
 * 127.0.0.0/8 and ::1 speak plain http first. A name that resolves to such an address is not loopback.
 */
export class HostPolicy {
  readonly #insecure: HostMatcher;
  readonly #plainHttp: HostMatcher;
  readonly #skipVerify: HostMatcher;
  readonly #ca: string | undefined;

  /** @throws {InvalidHostRuleError} when a rule is no host. */
  constructor({ insecureRegistries = [], plainHttp = [], tlsSkipVerify = [], ca }: HostRules = {}) {
    this.#insecure = new HostMatcher(insecureRegistries, true);
    this.#plainHttp = new HostMatcher(plainHttp, false);
    this.#skipVerify = new HostMatcher(tlsSkipVerify, false);
    this.#ca = ca;
  }

  /**
   * @param host as written in a reference: `registry.example:5000`, `[::1]:5000`.
   * @throws {InvalidHostRuleError} when it is no host.
   */
  for(host: string): HostSettings {
    return this.#settingsOf(parseHost(host));
  }

  /** For `createTransport()`. Token services and storage follow the same rules as registries. */
  tls(origin: URL): TlsSettings {
    const name = origin.hostname.replace(/^\[|\]$/g, '');
    const asked = { name, port: origin.port === '' ? undefined : Number(origin.port) };
    return { ca: this.#ca, rejectUnauthorized: this.#settingsOf(asked).verify };
  }

  #settingsOf(asked: Host): HostSettings {
    if (this.#plainHttp.has(asked)) return { schemes: ['http'], verify: true };
    if (this.#insecure.has(asked)) return { schemes: ['https', 'http'], verify: false };
    if (this.#skipVerify.has(asked)) return { schemes: ['https'], verify: false };
    return { schemes: isLoopback(asked.name) ? ['http', 'https'] : ['https'], verify: true };
  }
}

/** Whether a text can be a rule of `HostPolicy`: a host or, for insecure registries, a network. */
export function isHostRule(text: string, { networks }: { readonly networks: boolean }): boolean {
  try {
    parseRules([text], networks);
    return true;
  } catch (error) {
    if (error instanceof InvalidHostRuleError) return false;
    throw error;
  }
}

interface Host {
  /** Lower case, without brackets. */
  readonly name: string;
  readonly port: number | undefined;
}

/** Ports that a reference or URL leaves out. */
const DEFAULT_PORTS: ReadonlySet<number> = new Set([80, 443]);

function parseRules(rules: readonly string[], takesNetworks: boolean): HostMatcher {
  return new HostMatcher(rules, takesNetworks);
}

class HostMatcher {
  readonly #hosts: readonly Host[];
  readonly #networks = new BlockList();

  constructor(rules: readonly string[], takesNetworks: boolean) {
    const isNetwork = (rule: string): boolean => takesNetworks && rule.includes('/');
    this.#hosts = rules.filter((rule) => !isNetwork(rule)).map(parseHost);
    for (const rule of rules.filter(isNetwork)) this.#addNetwork(rule);
  }

  /** A rule without a port is good for every port. Names are not resolved: DNS must not decide who is trusted. */
  has({ name, port }: Host): boolean {
    const version = isIP(name);
    if (version !== 0 && this.#networks.check(name, version === 4 ? 'ipv4' : 'ipv6')) return true;
    return this.#hosts.some(
      (rule) =>
        rule.name === name &&
        (rule.port === undefined ||
          rule.port === port ||
          (port === undefined && DEFAULT_PORTS.has(rule.port))),
    );
  }

  #addNetwork(rule: string): void {
    const [, network = '', bits = ''] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(rule.trim()) ?? [];
    const version = isIP(network);
    if (version === 0 || Number(bits) > (version === 4 ? 32 : 128))
      throw new InvalidHostRuleError(rule, 'a network such as 10.0.0.0/8');
    this.#networks.addSubnet(network, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  }
}

const NAME = /^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?$/;

function parseHost(text: string): Host {
  const [, bracketed, plain, digits] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  const name = (bracketed ?? plain ?? '').toLowerCase();
  const port = digits === undefined ? undefined : Number(digits);
  const isName = bracketed === undefined ? NAME.test(name) : isIP(name) === 6;
  if (!isName || (port !== undefined && (port === 0 || port > 65_535)))
    throw new InvalidHostRuleError(text, 'HOST or HOST:PORT');
  return { name, port };
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** A name that means this machine whatever the resolver says; lower case, without brackets. */
export function isLoopback(name: string): boolean {
  const version = isIP(name);
  return (
    name === 'localhost' || (version !== 0 && LOOPBACK.check(name, version === 4 ? 'ipv4' : 'ipv6'))
  );
}
