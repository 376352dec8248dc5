import { isIP } from 'node:net';

import { RegiError } from '../errors.ts';
import { hostNameOf, isPrivateAddress } from '../http/address.ts';
import type { Reach } from '../http/message.ts';

/** A registry that names a token service. */
export interface RealmNamer {
  /** Scheme, host and port of the registry. */
  readonly origin: URL;
  /** The registry as written in references. */
  readonly host: string;
  /** The address that sent the challenge; undefined when a proxy hides it. */
  readonly remoteAddress: string | undefined;
}

/** A token service that may receive requests, and the addresses allowed for it. */
export interface SafeRealm {
  readonly url: URL;
  readonly reach: Reach;
}

/** Error for a token service that a registry names and that must not receive credentials. */
export function unsafeRealmError(host: string, realm: URL, reason: string): RegiError {
  return new RegiError(
    'UNSAFE_REALM',
    `Cannot use the token service "${realm.origin}" that "${host}" names: ${reason}`,
    { hint: `no credentials were sent; look at the registry's challenge: regi doctor ${host}` },
  );
}

/**
 * Decides whether a registry may direct us, and our credentials, to `realm`. The realm is untrusted
 * input. It must be https unless the registry itself uses plain http. A registry at a public
 * address must not name a service in our own network (loopback, link-local, private), except
 * itself. The result's `reach` makes the transport repeat that check on the address it connects to,
 * which DNS may change.
 *
 * @throws {RegiError} with code UNSAFE_REALM.
 * @see https://github.com/google/go-containerregistry/pull/2243
 */
export function checkRealm(realm: URL, registry: RealmNamer): SafeRealm {
  const { origin, host } = registry;
  if (realm.protocol !== 'https:' && origin.protocol !== 'http:') {
    throw unsafeRealmError(host, realm, 'expected https, because the registry itself uses https');
  }
  if (realm.host === origin.host && realm.protocol === origin.protocol)
    return { url: realm, reach: 'any' };
  if (isInternal(registry)) return { url: realm, reach: 'any' };
  if (isInternalHost(realm)) {
    const reason = 'expected a public address, because that of the registry is public';
    throw unsafeRealmError(host, realm, reason);
  }
  return { url: realm, reach: 'public' };
}

/** Behind a proxy only the name is known; a name counts as public unless it is clearly internal. */
function isInternal({ origin, remoteAddress }: RealmNamer): boolean {
  return remoteAddress === undefined ? isInternalHost(origin) : isPrivateAddress(remoteAddress);
}

function isInternalHost(url: URL): boolean {
  const name = hostNameOf(url).replace(/\.$/, '');
  return isIP(name) === 0
    ? name === 'localhost' || name.endsWith('.localhost')
    : isPrivateAddress(name);
}
