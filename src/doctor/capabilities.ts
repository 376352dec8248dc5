import { NotAuthorisedError } from '../auth/not-authorised.ts';
import { CATALOG_SCOPE, repositoryScope } from '../auth/scope.ts';
import { RegiError, type ErrorCode } from '../errors.ts';
import { discard, readAtMost } from '../http/body.ts';
import { rateLimit, type RateLimit } from '../http/retry-after.ts';
import { tryParseJson } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { parseDigest } from '../oci/digest.ts';
import { MANIFEST_ACCEPT } from '../oci/media-types.ts';
import { InvalidReferenceError, parseRepository } from '../oci/reference.ts';
import type { Connection } from '../registry/connection.ts';
import { otherWayToDelete } from '../registry/hints.ts';
import { responseError } from '../registry/errors.ts';
import { stringsIn } from '../registry/lists.ts';
import { quotaHint, windowOf } from '../registry/pull-quota.ts';
import { hasReferrersApi } from '../registry/referrers.ts';
import { manifestPath, sendToWrite, type RemoteRepository } from '../registry/remote-repository.ts';
import { note, ok, type Finding, type Step } from './finding.ts';

/**
 * Provided by Docker for this purpose: a HEAD of its manifest does not count as a pull.
 *
 * @see https://docs.docker.com/docker-hub/usage/pulls/
 */
const HUB_PREVIEW = 'ratelimitpreview/test';
const HUB = 'docker.io';
/** A hint is shown below this share of the limit. */
const LOW_SHARE = 0.1;
/** The digest of no content: its list of referrers is empty, and deleting it removes nothing. */
const NOTHING = parseDigest(`sha256:${'0'.repeat(64)}`);

/**
 * Reports a refusal as a note: a registry need not reveal its capabilities. Other failures are
 * thrown.
 */
export async function orUnknown(step: Step, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof NotAuthorisedError)
      return note(step, `not permitted for this login (status ${error.status})`);
    if (error instanceof RegiError && REFUSALS.has(error.code))
      return note(step, `unknown: ${error.message}`);
    throw error;
  }
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'REFUSED',
  'NOT_FOUND',
  'UNSUPPORTED',
  'INVALID_RESPONSE',
  'INVALID_MANIFEST',
]);

/** @param known the limit in an earlier response. */
export async function lookAtRateLimit(
  connection: Connection,
  known: RateLimit | undefined,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const quota = connection.name === HUB ? await askHub(connection, signal) : known;
  if (quota === undefined) return note('rate limit', 'none announced');
  const { limit, remaining, windowSeconds, source } = quota;
  const counted = source === undefined ? '' : `, counted for ${source}`;
  return ok('rate limit', `${remaining} of ${limit} pulls left${windowOf(quota)}${counted}`, {
    facts: { limit, remaining, windowSeconds, source },
    ...(remaining <= limit * LOW_SHARE && { hint: quotaHint(connection.name, quota) }),
  });
}

async function askHub(
  connection: Connection,
  signal: AbortSignal | undefined,
): Promise<RateLimit | undefined> {
  const scopes = [repositoryScope(HUB_PREVIEW, ['pull'])];
  const path = `/v2/${HUB_PREVIEW}/manifests/latest`;
  const response = await connection.send('HEAD', path, { scopes, accept: MANIFEST_ACCEPT, signal });
  if (response.status === 429)
    throw await responseError('Cannot learn the pull limit of Docker Hub', response);
  await discard(response);
  return rateLimit(response.headers);
}

/** Checks for a list of repositories, and returns one repository of it. */
export async function lookAtCatalog(
  connection: Connection,
  signal: AbortSignal | undefined,
): Promise<{ finding: Finding; repository?: string | undefined }> {
  if (connection.name === HUB)
    return {
      finding: note('catalog', 'Docker Hub has none; see https://hub.docker.com', {
        facts: { supported: false },
      }),
    };
  const response = await connection.send('GET', '/v2/_catalog?n=1', {
    scopes: [CATALOG_SCOPE],
    signal,
  });
  const { status } = response;
  if (status !== 200) {
    await discard(response);
    const isForbidden = status === 401 || status === 403;
    const message = isForbidden
      ? `not permitted for this login (status ${status})`
      : `not supported (status ${status})`;
    return {
      finding: note('catalog', message, { facts: { supported: isForbidden ? undefined : false } }),
    };
  }
  const body = tryParseJson(
    await readAtMost(response, LIMITS.pageBytes, 'the list of repositories'),
  );
  const repositories = stringsIn(body, 'repositories');
  const repository = repositories
    ?.map((name) => checkedName(connection.name, name))
    .find((name) => name !== undefined);
  return {
    repository,
    finding: ok('catalog', 'repositories can be listed', { facts: { supported: true } }),
  };
}

/** Returns only a valid name: it becomes part of a path and of the output. */
function checkedName(host: string, name: string): string | undefined {
  try {
    return parseRepository(`${host}/${name}`).path;
  } catch (error) {
    if (error instanceof InvalidReferenceError) return undefined;
    throw error;
  }
}

/** @param repository any existing repository. */
export async function lookAtReferrers(
  connection: Connection,
  repository: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  if (repository === undefined)
    return note('referrers', 'not probed: a repository is needed', {
      hint: `name one: regi doctor ${connection.name}/REPOSITORY`,
    });
  if (
    await hasReferrersApi({ connection, name: repository, access: 'read' }, NOTHING, { signal })
  ) {
    return ok('referrers', 'the registry lists the referrers of an image', {
      facts: { supported: true },
    });
  }
  return note(
    'referrers',
    'not supported: signatures and attestations are found by tags made of a digest',
    { facts: { supported: false } },
  );
}

/** Deletes a digest that cannot exist. @param repository the one that the user named. */
export async function lookAtDelete(
  connection: Connection,
  repository: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  if (repository === undefined) return note('delete', 'not probed: a repository is needed');
  const remote: RemoteRepository = { connection, name: repository, access: 'write' };
  const response = await sendToWrite(remote, 'DELETE', manifestPath(remote, NOTHING), { signal });
  const { status } = response;
  await discard(response);
  if (status === 404 || (status >= 200 && status < 300))
    return ok('delete', 'images can be deleted by digest', { facts: { supported: true } });
  if (status === 401 || status === 403)
    return note('delete', `not permitted for this login (status ${status})`);
  if (status === 405) {
    const hint = otherWayToDelete(connection.name);
    return note('delete', 'not supported, or disabled (status 405)', {
      facts: { supported: false },
      ...(hint !== undefined && { hint }),
    });
  }
  return note('delete', `unknown (status ${status})`);
}
