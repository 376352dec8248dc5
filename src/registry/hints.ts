import { rateLimit } from '../http/retry-after.ts';
import type { RegistryResponse } from './connection.ts';
import type { Problem } from './problems.ts';
import { quotaHint } from './pull-quota.ts';

/** Registries that delete nothing by the distribution protocol. */
const OTHER_WAYS: readonly (readonly [host: RegExp, hint: string])[] = [
  [/\.amazonaws\.com(?:\.cn)?$|^public\.ecr\.aws$/, 'delete it with: aws ecr batch-delete-image'],
  [/^ghcr\.io$|^containers\./, 'delete it on the package page of GitHub, or with its packages API'],
  [/^docker\.pkg\.github\.com$/, 'delete it on the package page of GitHub'],
];

/** What must be deleted first, by error code. */
const IN_THE_WAY: Readonly<Record<string, string>> = {
  GOOGLE_MANIFEST_DANGLING_TAG: 'delete its tags first: regi tags delete',
  GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE:
    'an index lists it: remove it there first with regi index remove, or delete the index',
  GOOGLE_MANIFEST_REFERRING_MANIFEST: 'delete its referrers first; regi referrers shows them',
};

const UNSUPPORTED =
  'this registry does not support that deletion, or it is disabled there; use its own tool or contact its operator';

/** Returns how to delete at a registry that has only a way of its own. */
export function otherWayToDelete(host: string): string | undefined {
  return OTHER_WAYS.find(([pattern]) => pattern.test(host))?.[1];
}

/** Returns what to do about a refused DELETE; undefined for an unknown reason. */
export function deleteHint(
  host: string,
  status: number,
  problems: readonly Problem[],
): string | undefined {
  for (const { code = '' } of problems) {
    const hint = Object.hasOwn(IN_THE_WAY, code) ? IN_THE_WAY[code] : undefined;
    if (hint !== undefined) return hint;
  }
  if (isImmutable(status, problems))
    return 'a rule of the registry protects it: change that rule there first';
  if (status === 405 || problems.some(({ code }) => code === 'UNSUPPORTED'))
    return otherWayToDelete(host) ?? UNSUPPORTED;
  return undefined;
}

/** True if a rule forbids moving or deleting tags, in the words of Quay, ECR and Harbor. */
function isImmutable(status: number, problems: readonly Problem[]): boolean {
  return problems.some(
    ({ code, message }) =>
      code === 'TAG_IMMUTABLE' ||
      (code === 'TAG_INVALID' && /immutable/i.test(message)) ||
      (code === 'PRECONDITION' && status === 412),
  );
}

/** Returns what to do about a 404. */
export function absenceHint(
  { method, host, repository, url }: RegistryResponse,
  problems: readonly Problem[],
): string {
  const isNameUnknown = problems.some(({ code }) => code === 'NAME_UNKNOWN');
  // Amazon's registries do not create a repository on push.
  const isWrite = method !== 'GET' && method !== 'HEAD' && method !== 'DELETE';
  if (isWrite && isNameUnknown)
    return 'create the repository first, or check the spelling of its name';
  const named = /\/manifests\/([^/]+)$/.exec(url.pathname)?.[1];
  if (method === 'PUT' && named !== undefined)
    return 'the registry takes no manifest under that name: create the repository first, or ask its operator';
  if (named?.includes(':') === true && !isNameUnknown)
    return `it may have been deleted there; list the existing tags with: regi tags list ${host}/${repository}`;
  const isImage = repository !== undefined && named !== undefined;
  return isImage && !isNameUnknown
    ? `check the spelling; list the existing tags with: regi tags list ${host}/${repository}`
    : 'check the spelling of registry, repository and tag or digest';
}

/** Returns what to do about a 429. */
export function rateLimitHint({ headers, host }: RegistryResponse): string {
  const quota = rateLimit(headers);
  return quota === undefined
    ? `wait and try again, with fewer connections: --concurrency 2; or log in: regi login ${host}`
    : quotaHint(host, quota);
}

/** Returns what to do about another refusal; undefined for an unknown reason. */
export function refusalHint(
  { method, host, status }: RegistryResponse,
  problems: readonly Problem[],
): string | undefined {
  const undeletable = method === 'DELETE' ? deleteHint(host, status, problems) : undefined;
  if (undeletable !== undefined) return undeletable;
  // nginx completes the handshake without a client certificate, and then refuses each request.
  if (status === 400 && problems.some(({ message }) => /SSL certificate/i.test(message)))
    return `put your client certificate and its key at ~/.config/docker/certs.d/${host}/client.cert and client.key`;
  if (status === 405 && method === 'PATCH')
    return 'the registry takes no uploads in chunks: omit --chunk-size';
  if (problems.some(({ code }) => code === 'MANIFEST_BLOB_UNKNOWN'))
    return 'the registry lacks content of that image: copy it again with --force';
  if (method === 'PUT' && problems.some(({ code }) => code === 'MANIFEST_INVALID'))
    return 'the registry does not take that kind of manifest; ask its operator which media types it accepts';
  if (isImmutable(status, problems))
    return 'the tag cannot be moved there: choose another tag, or change that rule of the registry';
  // 416 is here only when the registry says that the body is too large.
  if (status === 413 || status === 416)
    return 'the registry or a proxy limits the size of a request; send smaller ones: --chunk-size 5000000';
  if (problems.some(({ code }) => code === 'NAME_INVALID'))
    return 'the registry has its own rules for names; try another repository name';
  return undefined;
}
