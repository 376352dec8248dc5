import {
  describeUnusable,
  parseChallenges,
  selectChallenge,
  type UsableChallenge,
} from '../auth/challenge.ts';
import { NotAuthorisedError } from '../auth/not-authorised.ts';
import { checkRealm } from '../auth/realm.ts';
import { repositoryScope } from '../auth/scope.ts';
import type { FoundCredential } from '../credentials/credential.ts';
import { assertNever, RegiError } from '../errors.ts';
import { discard } from '../http/body.ts';
import { rateLimit, type RateLimit } from '../http/retry-after.ts';
import { quote } from '../quote.ts';
import { printable } from '../redact.ts';
import type { Connection } from '../registry/connection.ts';
import { invalidResponse, isWebPage, responseError } from '../registry/errors.ts';
import { sendToRead, type RemoteRepository } from '../registry/remote-repository.ts';
import { failed, note, ok, type Finding } from './finding.ts';

/** The response of the registry to an anonymous request. */
export interface FirstResponse {
  readonly finding: Finding;
  /** How the registry wants clients to authenticate; undefined if it sends no challenge. */
  readonly challenge: UsableChallenge | undefined;
  /** The challenges, where regi supports none of them. */
  readonly unusable: string | undefined;
  readonly isOpen: boolean;
  readonly remoteAddress: string | undefined;
  readonly quota: RateLimit | undefined;
}

/**
 * Requests `/v2/` without credentials.
 *
 * @throws {RegiError} when the response is not that of a registry.
 */
export async function lookAtApi(
  connection: Connection,
  origin: URL,
  signal: AbortSignal | undefined,
): Promise<FirstResponse> {
  const action = `Cannot use ${quote(connection.name)} as a registry`;
  const response = await connection.sendAnonymously('GET', new URL('/v2/', origin), { signal });
  const { status, headers, remoteAddress } = response;
  if (status === 404) {
    await discard(response);
    throw new RegiError('INVALID_RESPONSE', `${action}: it has no ${origin.href}v2/ (status 404)`, {
      hint: 'another server may listen there; a registry below a path needs a host or port of its own, because clients ask at the root',
    });
  }
  if (![200, 401, 403].includes(status)) throw await responseError(action, response);
  if (status !== 401 && isWebPage(response))
    throw invalidResponse(action, response, 'expected JSON');
  await discard(response);
  const version = headers.get('docker-distribution-api-version');
  const server = headers.get('server');
  const shown = [
    `status ${status}`,
    ...[version, server].flatMap((text) => (text === undefined ? [] : [printable(text, 60)])),
  ].join(', ');
  const facts = { status, version, server };
  return {
    finding: ok(
      'api',
      status === 200
        ? `open to everyone (${shown})`
        : `responds and requires authentication (${shown})`,
      { facts },
    ),
    challenge: selectChallenge(parseChallenges(headers.get('www-authenticate'))),
    unusable: describeUnusable(headers.get('www-authenticate')),
    isOpen: status === 200,
    remoteAddress,
    quota: rateLimit(headers),
  };
}

/**
 * @throws {UnsafeRealmError} when it names a token service that must not be asked.
 * @throws {NotAuthorisedError} when regi supports none of the offered logins.
 */
export function lookAtChallenge(
  { challenge, unusable, isOpen, remoteAddress }: FirstResponse,
  host: string,
  origin: URL,
): Finding {
  if (unusable !== undefined && !isOpen)
    throw new NotAuthorisedError({
      host,
      status: 401,
      action: `Cannot log in to "${host}"`,
      unusable,
    });
  if (challenge === undefined) {
    return isOpen
      ? note('challenge', 'none')
      : note('challenge', 'none that regi supports', {
          hint: 'the response may come from another server in front of the registry',
        });
  }
  switch (challenge.kind) {
    case 'basic':
      return ok('challenge', 'Basic: user and password go to the registry itself', {
        facts: { scheme: 'basic' },
      });
    case 'bearer': {
      const { realm, service } = challenge;
      checkRealm(realm, { origin, host, remoteAddress });
      const named = service === undefined ? '' : `, for the service "${printable(service, 100)}"`;
      return ok('challenge', `Bearer: tokens come from ${realm.origin}${named}`, {
        facts: { scheme: 'bearer', realm: realm.origin, service },
      });
    }
    default:
      return assertNever(challenge);
  }
}

export function lookAtCredential(found: FoundCredential | undefined, host: string): Finding {
  if (found === undefined)
    return note('credential', 'none is stored', { hint: `to store one: regi login ${host}` });
  const { credential, origin } = found;
  return ok('credential', `${nameOf(found)} from ${origin}`, {
    facts: {
      kind: credential.kind,
      origin,
      username: credential.kind === 'registry-token' ? undefined : credential.username,
    },
  });
}

/** Tries the credential, or an anonymous login. Never falls back from the one to the other. */
export async function lookAtLogin(
  connection: Connection,
  found: FoundCredential | undefined,
  { challenge, isOpen }: FirstResponse,
  repository: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  if (isOpen) return note('login', 'not required');
  try {
    const scopes = repository === undefined ? [] : [repositoryScope(repository, ['pull'])];
    const response = await connection.send('GET', '/v2/', {
      scopes,
      repository,
      canRetryAnonymously: false,
      signal,
    });
    if (response.status !== 200)
      throw await responseError(`Cannot log in to ${quote(connection.name)}`, response);
    await discard(response);
    const how = challenge?.kind === 'bearer' ? ', with a token' : '';
    return ok(
      'login',
      `${found === undefined ? 'anonymous access' : nameOf(found)} is accepted${how}`,
    );
  } catch (error) {
    if (!(error instanceof NotAuthorisedError)) throw error;
    if (found !== undefined) {
      const verdict = error.tried?.refused === true ? 'were refused' : 'lack permission';
      return {
        ...failed('login', error),
        message: `the credentials from ${found.origin} ${verdict} (status ${error.status})`,
      };
    }
    if (challenge?.kind !== 'bearer')
      return {
        ...failed('login', error),
        message: `a login is required, and none is stored (status ${error.status})`,
      };
    return note(
      'login',
      'anonymous requests get no token here; public repositories may still be readable',
      { hint: `regi login ${connection.name}` },
    );
  }
}

/** Requests one tag of the repository that the user named. */
export async function lookAtRepository(
  connection: Connection,
  repository: string,
  { mayBeNew, signal }: { readonly mayBeNew: boolean; readonly signal: AbortSignal },
): Promise<Finding> {
  const name = quote(`${connection.name}/${repository}`);
  const remote: RemoteRepository = { connection, name: repository, access: 'read' };
  const response = await sendToRead(remote, 'GET', `/v2/${repository}/tags/list?n=1`, { signal });
  if (response.status === 404 && mayBeNew) {
    await discard(response);
    return note('repository', `${name} does not exist yet`, { facts: { exists: false } });
  }
  if (response.status !== 200)
    return failed('repository', await responseError(`Cannot read ${name}`, response));
  await discard(response);
  return ok('repository', `${name} is readable`);
}

function nameOf({ credential }: FoundCredential): string {
  switch (credential.kind) {
    case 'password':
      return `user ${quote(credential.username)}`;
    case 'identity-token':
      return 'an identity token';
    case 'registry-token':
      return 'a registry token';
    default:
      return assertNever(credential);
  }
}
