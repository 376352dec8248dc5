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
  type FirstAnswer,
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
  /** The registry as written in references. */
  readonly host: string;
  /** One that is to be readable. */
  readonly repository?: string | undefined;
  /** Whether an upload to the repository is begun, and given up: the only step that the registry has to clean up after. */
  readonly tryPush: boolean;
  /** To be tried in this order. */
  readonly schemes: readonly Scheme[];
  readonly targetOf: (origin: URL) => Promise<Target>;
  readonly lookup: LookupFunction | undefined;
  /** What is asked before the registry when something is pulled. */
  readonly mirrors: readonly string[];
  readonly findCredential: CredentialSource;
  /** A connection that shows what the source has, and repeats nothing. */
  readonly connectAs: (credentials: CredentialSource) => Connection;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const NOBODY: CredentialSource = async () => undefined;

/**
 * Looks at a registry step by step, as far as it comes. A step that all others need ends it when it fails. Nothing is changed there, and without
 * `tryPush` nothing is begun either.
 *
 * @throws whatever a step throws that is no `RegiError`.
 */
export async function* examineRegistry(examination: Examination): AsyncGenerator<TimedFinding> {
  const { host, schemes, signal } = examination;
  const nobody = examination.connectAs(NOBODY);
  const origin = new URL(`${await settleScheme(nobody, schemes, signal)}://${apiHost(host)}`);
  if (!(yield* lookAtLine(examination, origin))) return;
  const visit = yield* lookAtAccess(examination, nobody, origin);
  if (visit !== undefined) yield* lookAtCapabilities(examination, visit);
}

type Look = () => Promise<Finding> | Finding;

function take({ clock, signal }: Examination, step: Step, look: Look): Promise<TimedFinding> {
  return examine(step, clock, signal, async () => look());
}

/** @returns whether there is a line. */
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
    // Authorities and certificates are read with the first step, which asks nobody: their time would be taken for the proxy's.
    yield { ...found, ms: step === 'proxy' || step === 'mirrors' ? 0 : found.ms };
    if (found.status === 'failed') return false;
  }
  return true;
}

/** What was learnt at the door. */
interface Visit {
  readonly connection: Connection;
  readonly answer: FirstAnswer;
}

/** @returns undefined where nothing behind the door can be looked at. */
async function* lookAtAccess(
  examination: Examination,
  nobody: Connection,
  origin: URL,
): AsyncGenerator<TimedFinding, Visit | undefined> {
  const { host, repository, findCredential, connectAs, signal } = examination;
  let answer: FirstAnswer | undefined;
  yield await take(examination, 'api', async () => {
    answer = await lookAtApi(nobody, origin, signal);
    return answer.finding;
  });
  if (answer === undefined) return undefined;
  const first: FirstAnswer = answer;
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
  return { connection, answer: first };
}

async function* lookAtCapabilities(
  examination: Examination,
  { connection, answer }: Visit,
): AsyncGenerator<TimedFinding> {
  const { repository, tryPush, signal } = examination;
  if (repository !== undefined)
    yield await take(examination, 'repository', () =>
      lookAtRepository(connection, repository, { mayBeNew: tryPush, signal }),
    );
  yield await take(examination, 'rate limit', () =>
    lookAtRateLimit(connection, answer.quota, signal),
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
  return ok('mirrors', `pulls ask ${mirrors.join(', then ')} first`, {
    facts: { mirrors },
    hint: `to look at one: regi doctor ${first}`,
  });
}

/** Where several schemes are possible, one request tells. What goes wrong with it shows in its own step. */
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
  }
  const settled = connection.origin();
  if (settled === undefined) return first;
  return settled.startsWith('https:') ? 'https' : 'http';
}
