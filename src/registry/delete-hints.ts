import type { Problem } from './problems.ts';

/** Registries that delete nothing by the distribution protocol. */
const OTHER_WAYS: readonly (readonly [host: RegExp, hint: string])[] = [
  [/\.amazonaws\.com(?:\.cn)?$|^public\.ecr\.aws$/, 'delete it with: aws ecr batch-delete-image'],
  [/^ghcr\.io$|^containers\./, 'delete it on the package page of GitHub, or with its packages API'],
  [/^docker\.pkg\.github\.com$/, 'delete it on the package page of GitHub'],
];

/** What has to go first, by the code that says so. */
const IN_THE_WAY: Readonly<Record<string, string>> = {
  GOOGLE_MANIFEST_DANGLING_TAG: 'delete the tags that name it first: regi tags delete',
  GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE:
    'an index lists it: take it out first with regi index remove, or delete the index',
  GOOGLE_MANIFEST_REFERRING_MANIFEST: 'delete what refers to it first; regi referrers shows it',
};

const UNSUPPORTED =
  'this registry does not delete that by its API, or it is switched off there; use its own tool or ask who runs it';

/** The way to delete where a registry has one of its own only. */
export function otherWayToDelete(host: string): string | undefined {
  return OTHER_WAYS.find(([pattern]) => pattern.test(host))?.[1];
}

/** What to do about a DELETE that was refused; undefined where nothing is known of the reason. */
export function deleteHint(
  host: string,
  status: number,
  problems: readonly Problem[],
): string | undefined {
  for (const { code } of problems) {
    const hint =
      code !== undefined && Object.hasOwn(IN_THE_WAY, code) ? IN_THE_WAY[code] : undefined;
    if (hint !== undefined) return hint;
  }
  if (isImmutable(status, problems))
    return 'a rule of the registry keeps it: change that rule there first';
  if (status === 405 || problems.some(({ code }) => code === 'UNSUPPORTED'))
    return otherWayToDelete(host) ?? UNSUPPORTED;
  return undefined;
}

/** Whether a rule against moving or deleting tags stands in the way: Quay's, ECR's and Harbor's words for it. */
export function isImmutable(status: number, problems: readonly Problem[]): boolean {
  return problems.some(
    ({ code, message }) =>
      code === 'TAG_IMMUTABLE' ||
      (code === 'TAG_INVALID' && /immutable/i.test(message)) ||
      (code === 'PRECONDITION' && status === 412),
  );
}
