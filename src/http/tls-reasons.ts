import { printable } from '../redact.ts';

/** A failure of TLS in words, and what to do about it. */
export interface TlsExplanation {
  readonly text: string;
  readonly hint: string;
  /** True if the server responded in plain http. */
  readonly plainHttp: boolean;
}

const UNKNOWN_AUTHORITY =
  'its certificate is signed by an authority that this machine does not know';

const CERTIFICATE_REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; check the clock of this machine',
  CERT_REVOKED: 'its certificate was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  HOSTNAME_MISMATCH: 'its certificate is for another name',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
};

/** Faults that another authority does not mend. */
const BEYOND_AUTHORITIES: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
]);

/** Further names of OpenSSL's and Node's TLS failures. */
const OTHER_TLS_REASON =
  /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|CERT_|CRL_|UNABLE_TO_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|EPROTO$)/;

/** Alerts of a server that wants a client certificate, or another one. */
const WANTS_CERTIFICATE = /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|NO_CERTIFICATE)$/;
const REFUSES_CERTIFICATE =
  /ALERT_(UNKNOWN_CA|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)$/;
const OLD_PROTOCOL =
  /(UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|VERSION_TOO_LOW|NO_PROTOCOLS_AVAILABLE)$/;

/** True if an error with this code and message is a TLS failure. */
export function isTlsFailure(reason: string, message: string): boolean {
  if (reason === 'EPROTO') return /ssl|tls/i.test(message);
  return Object.hasOwn(CERTIFICATE_REASONS, reason) || OTHER_TLS_REASON.test(reason);
}

/**
 * Explains a failure of TLS.
 *
 * @param host with its port, as flags take it.
 * @param reason OpenSSL's or Node's name of the failure.
 */
export function explainTls(host: string, reason: string, cause: unknown): TlsExplanation {
  const message = cause instanceof Error ? cause.message : '';
  // Go says "server gave HTTP response to HTTPS client".
  if (
    /wrong version number|packet length too long/i.test(message) ||
    reason === 'ERR_SSL_WRONG_VERSION_NUMBER'
  ) {
    return {
      text: `Cannot connect to "${host}": it does not speak TLS on that port, perhaps plain http`,
      hint: `if you trust the network between: --plain-http ${host}`,
      plainHttp: true,
    };
  }
  return { ...explainTrust(host, reason, cause), plainHttp: false };
}

function explainTrust(
  host: string,
  reason: string,
  cause: unknown,
): { text: string; hint: string } {
  const certificate = CERTIFICATE_REASONS[reason];
  if (certificate !== undefined) {
    const blindly = `to trust it blindly: --tls-skip-verify ${host}`;
    const hint = BEYOND_AUTHORITIES.has(reason)
      ? `ask the operator of the server for a new certificate; ${blindly}`
      : `name its authority with --ca-file FILE; ${blindly}`;
    return { text: `Cannot trust "${host}": ${certificate}${namesIn(cause)}`, hint };
  }
  const place = `~/.config/docker/certs.d/${host}/`;
  if (WANTS_CERTIFICATE.test(reason)) {
    return {
      text: `Cannot connect to "${host}": it wants a client certificate`,
      hint: `put yours and its key at ${place}client.cert and ${place}client.key`,
    };
  }
  if (REFUSES_CERTIFICATE.test(reason)) {
    return {
      text: `Cannot connect to "${host}": it refuses our client certificate (${reason})`,
      hint: `check the certificate and key in ${place}`,
    };
  }
  if (OLD_PROTOCOL.test(reason)) {
    return {
      text: `Cannot connect to "${host}": it does not speak TLS 1.2 or later`,
      hint: 'ask the operator of the server to update it',
    };
  }
  if (reason.endsWith('NO_APPLICATION_PROTOCOL')) {
    return {
      text: `Cannot connect to "${host}": it does not speak HTTP/1.1, perhaps HTTP/2 only`,
      hint: 'its operator can enable HTTP/1.1 there; regi does not speak HTTP/2',
    };
  }
  if (reason.endsWith('ALERT_HANDSHAKE_FAILURE')) {
    return {
      text: `Cannot connect to "${host}": it refused the handshake (${reason})`,
      hint: `if it wants a client certificate, put yours and its key at ${place}client.cert and ${place}client.key`,
    };
  }
  return {
    text: `Cannot trust "${host}": TLS failed (${reason})`,
    hint: 'contact the operator of the server',
  };
}

/** Formats the names of a certificate: ` (it is for "a.example", "b.example")`. */
function namesIn(cause: unknown): string {
  if (!(cause instanceof Error) || !('cert' in cause)) return '';
  const { cert } = cause;
  const names =
    typeof cert === 'object' && cert !== null && 'subjectaltname' in cert
      ? cert.subjectaltname
      : undefined;
  if (typeof names !== 'string' || names === '') return '';
  const list = names.split(', ').map((name) => `"${name.replace(/^(DNS|IP Address):/, '')}"`);
  return printable(
    ` (it is for ${list.slice(0, 5).join(', ')}${list.length > 5 ? ', …' : ''})`,
    300,
  );
}
