import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { printable, redactUrl } from '../redact.ts';
import type { Method } from './message.ts';
import { explainTls, isTlsFailure } from './tls-reasons.ts';

/**
 * How far an exchange had come when it failed. `connect`: no byte of the request was sent. `answer`: the request may have been
 * received, nothing came back. `body`: the answer's head was there.
 */
export type Phase = 'connect' | 'answer' | 'body';

/** What an exchange was about, for messages. */
export interface Subject {
  readonly method: Method;
  readonly url: URL;
}

/** No connection, or one that broke. */
export class NetworkError extends RegiError {
  /** Host and port. */
  readonly host: string;
  readonly phase: Phase;
  /** What the system or the HTTP parser calls it: ECONNREFUSED, HPE_INVALID_CONSTANT; undefined when it has no name. */
  readonly reason: string | undefined;

  constructor(
    message: string,
    facts: { host: string; phase: Phase; reason?: string | undefined },
    options: RegiErrorOptions = {},
  ) {
    super('NETWORK', message, options);
    this.host = facts.host;
    this.phase = facts.phase;
    this.reason = facts.reason;
  }
}

/** The proxy on the way to a host does not let us through. */
export class ProxyError extends NetworkError {
  /** Host and port of the proxy. */
  readonly proxy: string;

  constructor(
    host: string,
    proxy: string,
    reason: string,
    text: string,
    options: RegiErrorOptions = {},
  ) {
    const hint =
      options.hint ??
      `check the proxy in HTTPS_PROXY and HTTP_PROXY, or go around it: NO_PROXY=${host.replace(/:\d+$/, '')}`;
    super(
      `Cannot connect to "${host}" through the proxy "${proxy}": ${text}`,
      { host, phase: 'connect', reason: `PROXY_${reason}` },
      { ...options, hint },
    );
    this.proxy = proxy;
  }

  static unauthorized(host: string, proxy: string): ProxyError {
    const hint =
      'write user and password of the proxy into the variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, percent-encoded';
    return new ProxyError(
      host,
      proxy,
      'UNAUTHORISED',
      'it wants a user and a password, or other ones',
      { hint },
    );
  }
}

/** A server that cannot prove who it is, or does not speak TLS. */
export class TlsError extends RegiError {
  /** Host and port. */
  readonly host: string;
  /** OpenSSL's or Node's name: DEPTH_ZERO_SELF_SIGNED_CERT. */
  readonly reason: string;
  /** The server answered in plain http. */
  readonly plainHttp: boolean;

  constructor(
    message: string,
    facts: { host: string; reason: string; plainHttp?: boolean },
    options: RegiErrorOptions,
  ) {
    super('TLS', message, options);
    this.host = facts.host;
    this.reason = facts.reason;
    this.plainHttp = facts.plainHttp ?? false;
  }
}

/** A peer that kept us waiting too long. */
export class TimeoutError extends RegiError {
  /** Host and port. */
  readonly host: string;
  readonly phase: Phase;
  readonly timeoutMs: number;

  constructor(
    message: string,
    facts: { host: string; phase: Phase; timeoutMs: number },
    options: RegiErrorOptions = {},
  ) {
    super('TIMEOUT', message, options);
    this.host = facts.host;
    this.phase = facts.phase;
    this.timeoutMs = facts.timeoutMs;
  }
}

/** A public peer sends us to an address inside our own network. Nothing was sent there. */
export class UnsafeAddressError extends RegiError {
  /** Host and port. */
  readonly host: string;
  readonly address: string;

  constructor(host: string, address: string) {
    super(
      'UNSAFE_REALM',
      `Cannot connect to "${host}": a server at a public address named it, and its own address ${address} is private`,
      {
        hint: 'nothing was sent there; tell who runs the registry what it answers with',
      },
    );
    this.host = host;
    this.address = address;
  }
}

/** A streamed request body that is not as long as it was said to be. */
export class BodySizeError extends RegiError {
  constructor(subject: Subject, expected: number, found: string) {
    super(
      'CONTENT_MISMATCH',
      `Cannot ${describe(subject)}: expected ${expected} bytes to send, found ${found}`,
      {
        hint: 'the source is damaged or was changed while it was read; try again',
      },
    );
  }
}

/** `GET https://registry.example/v2/`, quoted and redacted. */
export function describe({ method, url }: Subject): string {
  return `${method} "${redactUrl(url)}"`;
}

/** What a failure to connect, `cause`, means to a person. */
export function connectError(origin: URL, cause: unknown): RegiError {
  if (cause instanceof RegiError) return cause;
  const host = origin.host;
  const reason = reasonOf(cause);
  if (isTlsFailure(reason, messageOf(cause))) return tlsError(host, reason, cause);
  const said = CONNECT_REASONS[reason];
  // Upper-case letters make a registry of a word without a dot, a port or "localhost"; here they are lower-case, as in every URL.
  const isWord = NAME_REASONS.has(reason) && !/[.:]/.test(host) && host !== 'localhost';
  const hint = isWord
    ? 'check the spelling of the host; names of repositories are lower-case: one with upper-case letters before its first "/" is read as a registry'
    : said?.hint;
  const options = { cause, hint: hint ?? 'check the network connection, then try again' };
  return new NetworkError(
    `Cannot connect to "${host}": ${said?.text ?? messageOf(cause)}`,
    { host, phase: 'connect', reason },
    options,
  );
}

/** What a failure to connect to a proxy, `cause`, means to a person who wanted to reach `origin`. */
export function proxyConnectError(origin: URL, proxy: URL, cause: unknown): RegiError {
  if (cause instanceof RegiError) return cause;
  const reason = reasonOf(cause);
  const text = isTlsFailure(reason, messageOf(cause))
    ? explainTls(proxy.host, reason, cause).text
    : (CONNECT_REASONS[reason]?.text ?? messageOf(cause));
  return new ProxyError(origin.host, proxy.host, reason, text, { cause });
}

/** What a failure after the connection was made means to a person. */
export function exchangeError(subject: Subject, phase: Phase, cause: unknown): RegiError {
  if (cause instanceof RegiError) return cause;
  const host = subject.url.host;
  const reason = reasonOf(cause);
  // OpenSSL alerts may come after the handshake: a TLS 1.3 server refuses a client certificate only then.
  if (isTlsFailure(reason, messageOf(cause))) return tlsError(host, reason, cause);
  const { text, hint } = exchangeReason(subject, reason, cause);
  return new NetworkError(
    `Cannot ${describe(subject)}: ${text}`,
    { host, phase, reason },
    { cause, hint },
  );
}

const CONNECT_REASONS: Readonly<Record<string, { readonly text: string; readonly hint: string }>> =
  {
    ENOTFOUND: { text: 'no such host', hint: 'check the spelling of the host' },
    EAI_AGAIN: {
      text: 'its name cannot be resolved now',
      hint: 'check the network connection and the name server, then try again',
    },
    ECONNREFUSED: {
      text: 'nothing listens there',
      hint: 'check host and port, and that the registry is running',
    },
    ECONNRESET: {
      text: 'the connection was closed at once',
      hint: 'try again; if it stays, check port and firewall',
    },
    EHOSTUNREACH: {
      text: 'no way to that host',
      hint: 'check the network connection, VPN and firewall',
    },
    ENETUNREACH: {
      text: 'no way to that network',
      hint: 'check the network connection, VPN and firewall',
    },
    ETIMEDOUT: { text: 'no answer', hint: 'check host, port and firewall' },
  };

/** Of a name that does not resolve. */
const NAME_REASONS: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN']);

function exchangeReason(
  subject: Subject,
  reason: string,
  cause: unknown,
): { text: string; hint: string } {
  if (reason.startsWith('HPE_')) {
    const hint =
      subject.url.protocol === 'http:'
        ? 'the server may speak https there: name the host without --plain-http'
        : 'a proxy may stand between: ask who runs the server';
    return {
      text: `the server does not speak HTTP as it should (${faultOf(reason, cause)})`,
      hint,
    };
  }
  if (reason === 'UND_ERR_HEADERS_OVERFLOW')
    return { text: 'the server sends too many headers', hint: 'ask who runs the server' };
  const text = CUT_REASONS.has(reason) ? 'the connection was cut' : messageOf(cause);
  return { text, hint: 'try again; if it stays, a proxy or firewall may cut the connection' };
}

const CUT_REASONS: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

function tlsError(host: string, reason: string, cause: unknown): TlsError {
  const { text, hint, plainHttp } = explainTls(host, reason, cause);
  return new TlsError(text, { host, reason, plainHttp }, { cause, hint });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'UNKNOWN';
  const code: unknown = 'code' in cause ? cause.code : undefined;
  if (code === 'UND_ERR_SOCKET' && Object.hasOwn(UNASKED, cause.message)) return 'HPE_UNASKED';
  if (typeof code === 'string') return code;
  // undici 7.30 looks its parser's errors up in a table that it has the wrong way round, so that they have no code.
  return cause.name === 'HTTPParserError' ? 'HPE_INVALID' : 'UNKNOWN';
}

/** What undici says of answers that HTTP allows only to those who ask for them. It closes the connection then. */
const UNASKED: Readonly<Record<string, string>> = {
  'bad response': 'it says 100 Continue unasked',
  'bad upgrade': 'it switches protocols unasked',
};

/** The parser's own words, `Invalid character in chunk size`, where it has some. */
function faultOf(reason: string, cause: unknown): string {
  const text = messageOf(cause);
  return UNASKED[text] ?? /\(([^()]+)\)$/.exec(text)?.[1] ?? reason;
}

/** Node's and undici's own messages: they name addresses, never headers or URLs. */
function messageOf(cause: unknown): string {
  return printable(cause instanceof Error ? cause.message : String(cause), 200);
}
