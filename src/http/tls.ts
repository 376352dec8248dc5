import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

import { RegiError } from '../errors.ts';
import { printable } from '../redact.ts';

/** How servers of one origin are verified, and our own client certificates. PEM texts. */
export interface TlsSettings {
  /** Authorities of this machine; Node's own when absent. */
  readonly system?: readonly string[] | undefined;
  /** Further authorities. */
  readonly ca?: string | readonly string[] | undefined;
  /** False accepts any certificate. */
  readonly rejectUnauthorized?: boolean | undefined;
  /**
   * Client certificates, each with the key at the same index of `key`. Among those of one key type
   * (RSA, EC) the last is used.
   */
  readonly cert?: string | readonly string[] | undefined;
  readonly key?: string | readonly string[] | undefined;
}

/** Certificates or keys that OpenSSL cannot use. */
function unusableCertificatesError(host: string, cause: unknown): RegiError {
  return new RegiError(
    'INVALID_CONFIG',
    `Cannot use the certificates for "${host}": ${printable(cause instanceof Error ? cause.message : 'unknown reason', 200)}`,
    {
      hint: `check --ca-file, and the certificates and keys for ${host} in certs.d`,
      cause,
    },
  );
}

/**
 * A cache of contexts without a client certificate, because parsing takes milliseconds. The keys
 * are the authorities of the system and the further ones.
 */
const CONTEXTS = new WeakMap<readonly string[], Map<string, SecureContext>>();

/**
 * Makes the context that TLS connections of one origin share. It requires TLS 1.2, whatever Node's
 * settings are.
 *
 * @param host for messages.
 * @throws {RegiError} with code INVALID_CONFIG when a text is no PEM, or a key does not belong to
 *   its certificate.
 */
export function secureContextOf(
  { system = rootCertificates, ca, cert, key: clientKey }: TlsSettings,
  host: string,
): SecureContext {
  const further = [ca ?? []].flat();
  const known = cert === undefined ? contextsOf(system) : undefined;
  const key = further.join('\n');
  const found = known?.get(key);
  if (found !== undefined) return found;
  try {
    const made = createSecureContext({
      minVersion: 'TLSv1.2',
      ca: [...system, ...further],
      ...(cert !== undefined && { cert: [cert].flat() }),
      ...(clientKey !== undefined && { key: [clientKey].flat() }),
    });
    known?.set(key, made);
    return made;
  } catch (cause) {
    throw unusableCertificatesError(host, cause);
  }
}

function contextsOf(system: readonly string[]): Map<string, SecureContext> {
  const known = CONTEXTS.get(system) ?? new Map<string, SecureContext>();
  CONTEXTS.set(system, known);
  return known;
}
