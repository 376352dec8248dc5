import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

import { RegiError } from '../errors.ts';
import { printable } from '../redact.ts';

/** How servers of one origin prove who they are, and what proves who we are. PEM texts. */
export interface TlsSettings {
  /** Authorities that this machine trusts; those that Node was built with when absent. */
  readonly system?: readonly string[] | undefined;
  /** Authorities trusted besides. */
  readonly ca?: string | readonly string[] | undefined;
  /** False trusts anybody. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** Client certificates, each with the key at the same place of `key`. Of one kind of key (RSA, EC) the last is shown. */
  readonly cert?: string | readonly string[] | undefined;
  readonly key?: string | readonly string[] | undefined;
}

/** Certificates or keys that OpenSSL cannot use. */
function unusableCertificatesError(host: string, cause: unknown): RegiError {
  return new RegiError(
    'INVALID_CONFIG',
    `Cannot use the certificates for "${host}": ${printable(cause instanceof Error ? cause.message : 'unknown reason', 200)}`,
    {
      hint: `look at --ca-file, and at the certificates and keys for ${host} in certs.d`,
      cause,
    },
  );
}

/** By what is trusted: parsing all authorities of a system takes milliseconds. */
const PLAIN_CONTEXTS = new WeakMap<readonly string[], SecureContext>();

/**
 * Makes what TLS connections of one origin share. TLS 1.2 is the least, whatever Node was told.
 *
 * @param host for messages.
 * @throws {UnusableCertificatesError} when a text is no PEM, or a key is not that of its certificate.
 */
export function secureContextOf(
  { system = rootCertificates, ca, cert, key }: TlsSettings,
  host: string,
): SecureContext {
  const isPlain = ca === undefined && cert === undefined;
  const known = isPlain ? PLAIN_CONTEXTS.get(system) : undefined;
  if (known !== undefined) return known;
  try {
    const made = createSecureContext({
      minVersion: 'TLSv1.2',
      ca: [...system, ...[ca ?? []].flat()],
      ...(cert !== undefined && { cert: [cert].flat() }),
      ...(key !== undefined && { key: [key].flat() }),
    });
    if (isPlain) PLAIN_CONTEXTS.set(system, made);
    return made;
  } catch (cause) {
    throw unusableCertificatesError(host, cause);
  }
}
