import * as tls from 'node:tls';

/** How servers of one origin prove who they are, and what proves who we are. PEM texts. */
export interface TlsSettings {
  /** Authorities trusted besides those of the system. */
  readonly ca?: string | readonly string[] | undefined;
  /** False trusts anybody. */
  readonly rejectUnauthorized?: boolean | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Made once per origin: parsing all authorities takes milliseconds. Undefined: Node's own context does. */
export function secureContextOf({ ca, cert, key }: TlsSettings): tls.SecureContext | undefined {
  if (ca === undefined && cert === undefined) return undefined;
  return tls.createSecureContext({
    ...(ca !== undefined && { ca: [...defaultAuthorities(), ...[ca].flat()] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  });
}

/** Node 22.15 and later can name all that it trusts, NODE_EXTRA_CA_CERTS included; before, only what it was built with. */
function defaultAuthorities(): readonly string[] {
  const ask: unknown = Reflect.get(tls, 'getCACertificates');
  return typeof ask === 'function' ? (ask as (kind: string) => string[])('default') : tls.rootCertificates;
}
