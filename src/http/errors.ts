import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { printable, redactUrl } from '../redact.ts';
import type { Method } from './message.ts';
import type { ProxyServer } from './proxy/proxy.ts';
import { explainTls, isTlsFailure } from './tls-reasons.ts';

/**
 * How far an exchange had come when it failed. `connect`: no byte of the request was sent.
 * `response`: the request may have been received. `body`: the head of the response had arrived.
 */
export type Phase = 'connect' | 'response' | 'body';

/** The request of an exchange, for messages. */
export interface Subject {
  readonly method: Method;
  readonly url: URL;
}

/** A connection that could not be opened, or broke. */
export class NetworkError extends RegiError {
  readonly phase: Phase;
  /**
   * The name given by the system or the HTTP parser, if any: ECONNREFUSED, HPE_INVALID_CONSTANT.
   */
  readonly reason: string | undefined;

  constructor(
    message: string,
    facts: { readonly phase: Phase; readonly reason?: string | undefined },
    options: RegiErrorOptions = {},
  ) {
    super('NETWORK', message, options);
    this.phase = facts.phase;
    this.reason = facts.reason;
  }
}

/** The proxy on the way to a host does not let us through. */
export class ProxyError extends NetworkError {
  constructor(
    host: string,
    { url, variable }: ProxyServer,
    reason: string,
    text: string,
    options: RegiErrorOptions = {},
  ) {
    const hint =
      options.hint ??
      `check the proxy in ${variable}, or bypass it: NO_PROXY=${host.replace(/:\d+$/, '')}`;
    super(
      `Cannot connect to "${host}" through the proxy "${url.host}": ${text}`,
      { phase: 'connect', reason: `PROXY_${reason}` },
      { ...options, hint },
    );
  }

  /** @param offered the `Proxy-Authenticate` header of the response. */
  static unauthorized(host: string, proxy: ProxyServer, offered?: string): ProxyError {
    const { url, variable } = proxy;
    const schemes = offered?.match(/(?<=^|,)\s*[A-Za-z-]+(?=\s|,|$)/g)?.map((word) => word.trim());
    if (schemes !== undefined && !schemes.some((scheme) => /^basic$/i.test(scheme)))
      return new ProxyError(
        host,
        proxy,
        'UNAUTHORISED',
        `it wants a login by ${printable(schemes.join(', '), 100)}, and regi supports Basic only`,
        {
          hint: `run a local proxy that logs in there, such as px or cntlm, and name that one in ${variable}`,
        },
      );
    return new ProxyError(host, proxy, 'UNAUTHORISED', 'it needs a login, or another one', {
      hint: `write user and password of the proxy into the variable: ${variable}=${url.protocol}//USER:PASSWORD@HOST:PORT, percent-encoded`,
    });
  }
}

/** A server that cannot prove its identity, or does not speak TLS. */
export class TlsError extends RegiError {
  /** True if the server responded in plain http. */
  readonly plainHttp: boolean;

  constructor(
    message: string,
    { plainHttp = false }: { readonly plainHttp?: boolean },
    options: RegiErrorOptions,
  ) {
    super('TLS', message, options);
    this.plainHttp = plainHttp;
  }
}

/** A peer that kept us waiting too long. */
export class TimeoutError extends RegiError {
  readonly phase: Phase;

  constructor(message: string, phase: Phase, options: RegiErrorOptions = {}) {
    super('TIMEOUT', message, options);
    this.phase = phase;
  }
}

/** A public peer directs us to an address inside our own network. Nothing was sent there. */
export function unsafeAddressError({ host }: URL, address = 'unknown'): RegiError {
  return new RegiError(
    'UNSAFE_REALM',
    `Cannot connect to "${host}": a server at a public address directed us to the private address ${address}`,
    { hint: 'nothing was sent there; report it to the operator of the registry' },
  );
}

/** A streamed request body with another length than announced. */
export function bodySizeError(subject: Subject, expected: number, found: string): RegiError {
  return new RegiError(
    'CONTENT_MISMATCH',
    `Cannot ${describe(subject)}: expected ${expected} bytes to send, found ${found}`,
    { hint: 'the source is damaged or changed while it was read; try again' },
  );
}

/** Formats a request for messages, quoted and redacted: `GET "https://registry.example/v2/"`. */
export function describe({ method, url }: Subject): string {
  return `${method} "${redactUrl(url)}"`;
}

/** Explains a failure to connect. */
export function connectError(origin: URL, cause: unknown): RegiError {
  if (cause instanceof RegiError) return cause;
  const { host } = origin;
  const reason = reasonOf(cause);
  if (isTlsFailure(reason, messageOf(cause))) return tlsError(host, reason, cause);
  const known = CONNECT_REASONS[reason];
  const hint =
    nameHint(host, reason) ?? known?.hint ?? 'check the network connection, then try again';
  return new NetworkError(
    `Cannot connect to "${host}": ${known?.text ?? messageOf(cause)}`,
    { phase: 'connect', reason },
    { cause, hint },
  );
}

/** Explains a failure to connect to a proxy on the way to `origin`. */
export function proxyConnectError(origin: URL, proxy: ProxyServer, cause: unknown): RegiError {
  if (cause instanceof RegiError) return cause;
  const reason = reasonOf(cause);
  const text = isTlsFailure(reason, messageOf(cause))
    ? explainTls(proxy.url.host, reason, cause).text
    : (CONNECT_REASONS[reason]?.text ?? messageOf(cause));
  return new ProxyError(origin.host, proxy, reason, text, { cause });
}

/** Explains a failure after the connection was open. */
export function exchangeError(subject: Subject, phase: Phase, cause: unknown): RegiError {
  if (cause instanceof RegiError) return cause;
  const { host } = subject.url;
  const reason = reasonOf(cause);
  // A TLS 1.3 server refuses a client certificate with an alert after the handshake.
  if (isTlsFailure(reason, messageOf(cause))) return tlsError(host, reason, cause);
  const { text, hint } = exchangeReason(subject, reason, cause);
  const message = `Cannot ${describe(subject)}: ${text}`;
  return new NetworkError(message, { phase, reason }, { cause, hint });
}

/** Returns the hint for a host that the user may not have typed as one. */
function nameHint(host: string, reason: string): string | undefined {
  if (reason === 'ENOTFOUND' && /\.docker\.(?:io|com)$/.test(host))
    return 'a name without a registry is looked up on Docker Hub: check the network connection, or write REGISTRY/NAME';
  // An upper-case letter makes a registry of a word without a dot, a port or "localhost"; URLs show
  // it in lower case.
  const isWord = NAME_REASONS.has(reason) && !/[.:]/.test(host) && host !== 'localhost';
  return isWord
    ? 'check the spelling of the host; repository names are lower-case: a first word with upper-case letters is read as a registry'
    : undefined;
}

interface Explanation {
  readonly text: string;
  readonly hint: string;
}

const CHECK_ROUTE = 'check the network connection, VPN and firewall';

const CONNECT_REASONS: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: { text: 'no such host', hint: 'check the spelling of the host' },
  EAI_AGAIN: {
    text: 'its name cannot be resolved at the moment',
    hint: 'check the network connection and the name server, then try again',
  },
  ECONNREFUSED: {
    text: 'connection refused',
    hint: 'check host and port, and that the registry is running',
  },
  ECONNRESET: {
    text: 'the connection was closed immediately',
    hint: 'try again; if it happens again, check port and firewall',
  },
  EHOSTUNREACH: { text: 'no route to that host', hint: CHECK_ROUTE },
  ENETUNREACH: { text: 'no route to that network', hint: CHECK_ROUTE },
  ETIMEDOUT: { text: 'no response', hint: 'check host, port and firewall' },
};

/** Failures of name resolution. */
const NAME_REASONS: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN']);

function exchangeReason({ url }: Subject, reason: string, cause: unknown): Explanation {
  const operator = 'contact the operator of the server';
  if (reason.startsWith('HPE_'))
    return {
      text: `the server does not speak valid HTTP (${faultOf(reason, cause)})`,
      hint:
        url.protocol === 'http:'
          ? 'the server may speak https there: name the host without --plain-http'
          : `a proxy may be in the way: ${operator}`,
    };
  if (reason === 'UND_ERR_HEADERS_OVERFLOW')
    return { text: 'the server sends too many headers', hint: operator };
  return {
    text: CUT_REASONS.has(reason) ? 'the connection was cut' : messageOf(cause),
    hint: 'try again; if it happens again, a proxy or firewall may cut the connection',
  };
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
  return new TlsError(text, { plainHttp }, { cause, hint });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'UNKNOWN';
  const code: unknown = 'code' in cause ? cause.code : undefined;
  if (code === 'UND_ERR_SOCKET' && Object.hasOwn(UNASKED, cause.message)) return 'HPE_UNASKED';
  if (typeof code === 'string') return code;
  // undici 7.30 looks up its parser's errors in an inverted table, so that they have no code.
  return cause.name === 'HTTPParserError' ? 'HPE_INVALID' : 'UNKNOWN';
}

/** Responses that HTTP allows only on request, by undici's words. undici closes the connection. */
const UNASKED: Readonly<Record<string, string>> = {
  'bad response': 'it says 100 Continue unasked',
  'bad upgrade': 'it switches protocols unasked',
};

/** The parser's own words, if any: `Invalid character in chunk size`. */
function faultOf(reason: string, cause: unknown): string {
  const text = messageOf(cause);
  return UNASKED[text] ?? /\(([^()]+)\)$/.exec(text)?.[1] ?? reason;
}

/** Node's and undici's own messages: they name addresses, never headers or URLs. */
function messageOf(cause: unknown): string {
  return printable(cause instanceof Error ? cause.message : String(cause), 200);
}
