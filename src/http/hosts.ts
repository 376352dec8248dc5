import { isIP } from 'node:net';

import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';
import { hostNameOf, isLoopback, Networks } from './address.ts';
import type { TlsSettings } from './tls.ts';

export type Scheme = 'http' | 'https';

/** How a registry is contacted. */
export interface HostSettings {
  /** To be tried in this order. */
  readonly schemes: readonly Scheme[];
  /** False accepts any certificate. */
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

/** A text in a flag, variable or configuration that cannot be a host. */
export class InvalidHostRuleError extends RegiError {
  constructor(text: string, expected: string) {
    super(
      'USAGE',
      `Cannot use ${quote(text)} as the name of a registry host: expected ${expected}`,
      {
        hint: 'write it as in a reference, such as registry.example:5000, without https:// and path',
      },
    );
  }
}

/**
 * Decides which registries may be contacted without proof of identity: those that the rules name,
 * and loopback as typed. `localhost`, 127.0.0.0/8 and ::1 use plain http first, or verified https
 * first if an authority was given. A name that resolves to such an address is not loopback.
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
    const port = origin.port === '' ? undefined : Number(origin.port);
    const { verify } = this.#settingsOf({ name: hostNameOf(origin), port });
    return { ca: this.#ca, rejectUnauthorized: verify };
  }

  #settingsOf(host: Host): HostSettings {
    if (this.#plainHttp.has(host)) return { schemes: ['http'], verify: true };
    if (this.#insecure.has(host)) return { schemes: ['https', 'http'], verify: false };
    if (this.#skipVerify.has(host)) return { schemes: ['https'], verify: false };
    if (!isLoopback(host.name)) return { schemes: ['https'], verify: true };
    // An authority was given for a server with TLS, and may be meant for this one.
    const isTlsLikely = this.#ca !== undefined;
    return { schemes: isTlsLikely ? ['https', 'http'] : ['http', 'https'], verify: true };
  }
}

/** True if a text can be a rule of `HostPolicy`: a host or, for insecure registries, a network. */
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

/** Ports that references and URLs omit. */
const DEFAULT_PORTS: ReadonlySet<number> = new Set([80, 443]);

function parseRules(rules: readonly string[], takesNetworks: boolean): HostMatcher {
  return new HostMatcher(rules, takesNetworks);
}

class HostMatcher {
  readonly #hosts: readonly Host[];
  readonly #networks = new Networks();

  constructor(rules: readonly string[], takesNetworks: boolean) {
    const isNetwork = (rule: string): boolean => takesNetworks && rule.includes('/');
    this.#hosts = rules.filter((rule) => !isNetwork(rule)).map(parseHost);
    for (const rule of rules.filter(isNetwork))
      if (!this.#networks.add(rule.trim()))
        throw new InvalidHostRuleError(rule, 'a network such as 10.0.0.0/8');
  }

  /**
   * Matches any port where the rule has none. Names are not resolved: DNS must not decide about
   * trust.
   */
  has({ name, port }: Host): boolean {
    if (this.#networks.has(name)) return true;
    return this.#hosts.some(
      (rule) =>
        rule.name === name &&
        (rule.port === undefined ||
          rule.port === port ||
          (port === undefined && DEFAULT_PORTS.has(rule.port))),
    );
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
