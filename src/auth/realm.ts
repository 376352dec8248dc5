import { isIP } from 'node:net';

import { RegiError } from '../errors.ts';
import { isPrivateAddress } from '../http/address.ts';

/** A registry as far as it decides which token service it may name. */
export interface RealmNamer {
  /** Scheme, host and port of the registry. */
  readonly origin: URL;
  /** The registry as written in references. */
  readonly host: string;
  /** The address that gave the challenge; undefined when a proxy hides it. */
  readonly remoteAddress: string | undefined;
}

/** A token service that may be asked, and where its connections may go. */
export interface SafeRealm {
  readonly url: URL;
  readonly reach: 'any' | 'public';
}

/** A registry names a token service that must not get credentials, or that it has no business to name. */
export class UnsafeRealmError extends RegiError {
  readonly host: string;
  /** Origin of the token service. */
  readonly realm: string;

  constructor(host: string, realm: URL, reason: string) {
    super(
      'UNSAFE_REALM',
      `Cannot use the token service "${realm.origin}" that "${host}" names: ${reason}`,
      {
        hint: `no credentials were sent; look at what the registry answers with: regi doctor ${host}`,
      },
    );
    this.host = host;
    this.realm = realm.origin;
  }
}

/**
 * Decides whether a registry may send us, and what proves who we are, to `realm`. The realm is untrusted input: it must be https
 * unless the registry itself was reached by plain http, and a registry at a public address may not point into the network
 * that we are in (loopback, link-local, private) — unless at itself. The result's `reach` makes the transport repeat that
 * check on the address it connects to, which a DNS answer may move.
 *
 * @throws {UnsafeRealmError}
 * @see https://github.com/google/go-containerregistry/pull/2243
 */
export function checkRealm(realm: URL, registry: RealmNamer): SafeRealm {
  const { origin, host } = registry;
  if (realm.protocol !== 'https:' && origin.protocol !== 'http:') {
    throw new UnsafeRealmError(
      host,
      realm,
      'expected https, because the registry itself was reached by https',
    );
  }
  if (realm.host === origin.host && realm.protocol === origin.protocol)
    return { url: realm, reach: 'any' };
  if (isInternal(registry)) return { url: realm, reach: 'any' };
  if (isInternalHost(realm.hostname)) {
    throw new UnsafeRealmError(
      host,
      realm,
      'expected a public address, because that of the registry is public',
    );
  }
  return { url: realm, reach: 'public' };
}

/** Behind a proxy only the name is known; a name that does not say that it is internal counts as public. */
function isInternal({ origin, remoteAddress }: RealmNamer): boolean {
  return remoteAddress === undefined
    ? isInternalHost(origin.hostname)
    : isPrivateAddress(remoteAddress);
}

function isInternalHost(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return isIP(name) === 0
    ? name === 'localhost' || name.endsWith('.localhost')
    : isPrivateAddress(name);
}
