import { isIP, type LookupFunction } from 'node:net';

import type { Clock } from '../clock.ts';
import { RegiError } from '../errors.ts';
import { portOf } from '../http/address.ts';
import type { Target } from '../http/connector.ts';
import { NetworkError, proxyConnectError, TlsError } from '../http/errors.ts';
import { probeConnection, resolveName, type TlsFacts } from '../http/probe.ts';
import { formatCount } from '../format.ts';
import { failed, note, ok, type Finding } from './finding.ts';

/** The network path to the registry, below HTTP. */
export interface Line {
  /** The chosen scheme, host and port. */
  readonly origin: URL;
  readonly target: Target;
  readonly lookup: LookupFunction | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

const DAY_MS = 86_400_000;
/** A certificate that expires sooner gets a hint. */
const SOON_DAYS = 30;
const SHOWN_ADDRESSES = 4;

export function lookAtProxy({ target }: Line): Finding {
  if (target.proxy === undefined) return note('proxy', 'none: connections are direct');
  const { url, variable } = target.proxy;
  const login = target.proxy.kind === 'http' ? target.proxy.authorization : target.proxy.login;
  const how = login === undefined ? '' : ', with user and password';
  const proxy = `${url.protocol}//${url.host}`;
  return ok('proxy', `connections go through ${proxy} (${variable})${how}`, { facts: { proxy } });
}

/** Resolves the name of the registry, or of the proxy, which resolves the registry itself. */
export async function lookAtName({ origin, target, lookup, signal }: Line): Promise<Finding> {
  const { proxy } = target;
  const asked = proxy?.url ?? origin;
  const addresses = await resolveName(asked, lookup, target.timeoutMs, { signal }).catch(
    (error: unknown) => {
      throw proxy !== undefined && error instanceof NetworkError
        ? proxyConnectError(origin, proxy, error.cause)
        : error;
    },
  );
  const whose = proxy === undefined ? '' : `the proxy `;
  if (isIP(asked.hostname.replace(/^\[|\]$/g, '')) !== 0) {
    return note('name', `${whose}${asked.hostname} is an address and needs no name server`, {
      facts: { addresses },
    });
  }
  const more =
    addresses.length > SHOWN_ADDRESSES ? ` and ${addresses.length - SHOWN_ADDRESSES} more` : '';
  return ok(
    'name',
    `${whose}${asked.hostname} resolves to ${addresses.slice(0, SHOWN_ADDRESSES).join(', ')}${more}`,
    { facts: { addresses } },
  );
}

/** Opens a connection to the registry, or to the proxy in front of it. */
export async function lookAtTcp({ origin, target, signal }: Line): Promise<Finding> {
  const goal = target.proxy?.url ?? origin;
  await probeConnection(
    {
      ...target,
      origin: new URL(`http://${origin.hostname}:${portOf(origin)}`),
      secureContext: undefined,
    },
    { signal },
  );
  const whose = target.proxy === undefined ? '' : 'the proxy ';
  return ok('tcp', `port ${portOf(goal)} of ${whose}${goal.hostname} is open`, {
    facts: { port: portOf(goal) },
  });
}

export async function lookAtTls({ origin, target, clock, signal }: Line): Promise<Finding> {
  if (origin.protocol === 'http:') {
    return note('tls', 'plain http: neither encrypted nor authenticated', {
      facts: { encrypted: false },
    });
  }
  try {
    return judge(await probeConnection(target, { signal }), clock);
  } catch (error) {
    if (!(error instanceof TlsError) || error.plainHttp) throw error;
    const shown = await lookAtUntrusted(target, signal);
    return {
      ...failed('tls', error),
      ...(shown && {
        message: `${error.message}; its certificate: ${describe(shown)}`,
        facts: factsOf(shown),
      }),
    };
  }
}

/** Reads the untrusted certificate, which helps to fix the problem. Sends no request. */
async function lookAtUntrusted(
  target: Target,
  signal: AbortSignal | undefined,
): Promise<TlsFacts | undefined> {
  try {
    return await probeConnection({ ...target, rejectUnauthorized: false }, { signal });
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof RegiError)) throw error;
    return undefined;
  }
}

function judge(shown: TlsFacts | undefined, clock: Clock): Finding {
  if (shown === undefined) return note('tls', 'not encrypted', { facts: { encrypted: false } });
  const { expiresAt, distrust } = shown;
  const facts = factsOf(shown);
  if (distrust !== undefined) {
    const hint = 'any server could pose as the registry; trust its authority with --ca-file FILE';
    return note('tls', `${describe(shown)}; not verified: ${distrust}`, { facts, hint });
  }
  const days = expiresAt === undefined ? undefined : Math.floor((expiresAt - clock.now()) / DAY_MS);
  const isEnding = days !== undefined && days < SOON_DAYS;
  return ok('tls', describe(shown), {
    facts,
    ...(isEnding && {
      hint: `the certificate expires in ${formatCount(days, 'day')}: contact the operator of the registry`,
    }),
  });
}

/** `TLSv1.3, registry.example < R11 < ISRG Root X1, until 2026-03-01`. */
function describe({ protocol, chain, expiresAt }: TlsFacts): string {
  const until =
    expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString().slice(0, 10)}`;
  return `${protocol}, ${chain.join(' < ')}${until}`;
}

function factsOf({
  protocol,
  chain,
  expiresAt,
  distrust,
}: TlsFacts): Readonly<Record<string, unknown>> {
  const expires = expiresAt === undefined ? undefined : new Date(expiresAt).toISOString();
  return { encrypted: true, protocol, chain, expires, verified: distrust === undefined };
}
