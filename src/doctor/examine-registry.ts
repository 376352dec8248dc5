import type { LookupFunction } from 'node:net';

import type { Clock } from '../clock.ts';
import type { CredentialSource, FoundCredential } from '../credentials/credential.ts';
import { RegiError } from '../errors.ts';
import { discard } from '../http/body.ts';
import type { Target } from '../http/connector.ts';
import type { Scheme } from '../http/hosts.ts';
import { apiHost } from '../oci/reference.ts';
import type { Connection } from '../registry/connection.ts';
import type { RemoteRepository } from '../registry/remote-repository.ts';
import {
  lookAtApi,
  lookAtChallenge,
  lookAtCredential,
  lookAtLogin,
  lookAtRepository,
  type FirstResponse,
} from './access.ts';
import {
  lookAtCatalog,
  lookAtDelete,
  lookAtRateLimit,
  lookAtReferrers,
  orUnknown,
} from './capabilities.ts';
import { lookAtName, lookAtProxy, lookAtTcp, lookAtTls, type Line } from './connecting.ts';
import { examine, note, ok, type Finding, type Step, type TimedFinding } from './finding.ts';
import { lookAtChunks, lookAtMount, lookAtPush, uploadsAreNotProbed } from './uploading.ts';

export interface Examination {
  /** The registry, as in references. */
  readonly host: string;
  /** A repository to check. */
  readonly repository?: string | undefined;
  /**
   * Starts an upload to the repository and cancels it: the only step that the registry has to clean
   * up after.
   */
  readonly tryPush: boolean;
  /** Tried in this order. */
  readonly schemes: readonly Scheme[];
  readonly targetOf: (origin: URL) => Promise<Target>;
  readonly lookup: LookupFunction | undefined;
  /** Registries that pulls try first. */
  readonly mirrors: readonly string[];
  readonly findCredential: CredentialSource;
  /** Opens a connection that uses the credentials and retries nothing. */
  readonly connectAs: (credentials: CredentialSource) => Connection;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Does the work of a step, and shows its name. */
  readonly wait: (step: Step, work: () => Promise<TimedFinding>) => Promise<TimedFinding>;
}

const ANONYMOUS: CredentialSource = async () => undefined;

/**
 * Examines a registry step by step. Stops when a step fails that all later ones need. Changes
 * nothing in the registry, and without `tryPush` starts no upload either.
 *
 * @throws anything but a `RegiError` that a step throws.
 */
export async function* examineRegistry(examination: Examination): AsyncGenerator<TimedFinding> {
  const { host, schemes, signal } = examination;
  const anonymous = examination.connectAs(ANONYMOUS);
  const origin = new URL(`${await settleScheme(anonymous, schemes, signal)}://${apiHost(host)}`);
  if (!(yield* lookAtLine(examination, origin))) return;
  const visit = yield* lookAtAccess(examination, anonymous, origin);
  if (visit !== undefined) yield* lookAtCapabilities(examination, visit);
}

type Look = () => Promise<Finding> | Finding;

function take({ clock, signal, wait }: Examination, step: Step, look: Look): Promise<TimedFinding> {
  return wait(step, () => examine(step, clock, signal, async () => look()));
}

/** @returns true if a connection is possible. */
async function* lookAtLine(
  examination: Examination,
  origin: URL,
): AsyncGenerator<TimedFinding, boolean> {
  const { lookup, clock, signal, mirrors, targetOf } = examination;
  const looks: readonly (readonly [Step, (line: Line) => Promise<Finding> | Finding])[] = [
    ['proxy', lookAtProxy],
    ['mirrors', () => lookAtMirrors(mirrors)],
    ['name', lookAtName],
    ['tcp', lookAtTcp],
    ['tls', lookAtTls],
  ];
  for (const [step, look] of looks) {
    const found = await take(examination, step, async () =>
      look({ origin, target: await targetOf(origin), lookup, clock, signal }),
    );
    // The first step also reads certificate files; their time would look like the proxy's.
    yield { ...found, ms: step === 'proxy' || step === 'mirrors' ? 0 : found.ms };
    if (found.status === 'failed') return false;
  }
  return true;
}

/** The result of authentication. */
interface Visit {
  readonly connection: Connection;
  readonly first: FirstResponse;
}

/** @returns undefined if the registry allows no further step. */
async function* lookAtAccess(
  examination: Examination,
  anonymous: Connection,
  origin: URL,
): AsyncGenerator<TimedFinding, Visit | undefined> {
  const { host, repository, findCredential, connectAs, signal } = examination;
  let response: FirstResponse | undefined;
  yield await take(examination, 'api', async () => {
    response = await lookAtApi(anonymous, origin, signal);
    return response.finding;
  });
  if (response === undefined) return undefined;
  const first: FirstResponse = response;
  let found: FoundCredential | undefined;
  const credentials: CredentialSource = async () => found;
  const connection = connectAs(credentials);
  const looks: readonly (readonly [Step, Look])[] = [
    ['challenge', () => lookAtChallenge(first, host, origin)],
    [
      'credential',
      async () => {
        found = await findCredential(host, repository, signal);
        return lookAtCredential(found, host);
      },
    ],
    ['login', () => lookAtLogin(connection, found, first, repository, signal)],
  ];
  for (const [step, look] of looks) {
    const taken = await take(examination, step, look);
    yield taken;
    if (taken.status === 'failed') return undefined;
  }
  return { connection, first };
}

async function* lookAtCapabilities(
  examination: Examination,
  { connection, first }: Visit,
): AsyncGenerator<TimedFinding> {
  const { repository, tryPush, signal } = examination;
  if (repository !== undefined)
    yield await take(examination, 'repository', () =>
      lookAtRepository(connection, repository, { mayBeNew: tryPush, signal }),
    );
  yield await take(examination, 'rate limit', () =>
    lookAtRateLimit(connection, first.quota, signal),
  );
  let listed: string | undefined;
  const lookAtList = async (): Promise<Finding> => {
    const catalog = await lookAtCatalog(connection, signal);
    listed = catalog.repository;
    return catalog.finding;
  };
  yield await take(examination, 'catalog', () => orUnknown('catalog', lookAtList));
  yield await take(examination, 'referrers', () =>
    orUnknown('referrers', () => lookAtReferrers(connection, repository ?? listed, signal)),
  );
  yield await take(examination, 'delete', () =>
    orUnknown('delete', () => lookAtDelete(connection, repository, signal)),
  );
  if (tryPush && repository !== undefined) {
    const remote: RemoteRepository = { connection, name: repository, access: 'write' };
    yield await take(examination, 'push', () => lookAtPush(remote, signal));
    yield await take(examination, 'mount', () =>
      orUnknown('mount', () => lookAtMount(remote, signal)),
    );
  } else
    for (const finding of uploadsAreNotProbed(connection, repository)) yield { ...finding, ms: 0 };
  yield { ...lookAtChunks(connection), ms: 0 };
}

function lookAtMirrors(mirrors: readonly string[]): Finding {
  const [first] = mirrors;
  if (first === undefined) return note('mirrors', 'none');
  return ok('mirrors', `pulls try ${mirrors.join(', then ')} first`, {
    facts: { mirrors },
    hint: `to examine one: regi doctor ${first}`,
  });
}

/**
 * Settles the scheme with one request where several are possible. Its failure shows in the step
 * that it belongs to.
 */
async function settleScheme(
  connection: Connection,
  schemes: readonly Scheme[],
  signal: AbortSignal,
): Promise<Scheme> {
  const [first = 'https'] = schemes;
  if (schemes.length < 2) return first;
  try {
    await discard(await connection.send('GET', '/v2/', { scopes: [], signal }));
  } catch (error) {
    if (signal.aborted || !(error instanceof RegiError)) throw error;
    // A server of https at a loopback address, which is asked over http first.
    if (error.code === 'TLS' && schemes.includes('https')) return 'https';
  }
  const settled = connection.origin();
  if (settled === undefined) return first;
  return settled.startsWith('https:') ? 'https' : 'http';
}
