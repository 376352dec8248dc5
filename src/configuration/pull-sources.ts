import { InvalidConfigError } from '../errors.ts';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import type { Mirror, MirrorUse, RegistryRule } from './registries-conf.ts';

/** A repository that an image may be read from. */
export interface PullSource {
  /** With the tag and digest of the original reference. */
  readonly reference: Reference;
  /** https unverified, then http. */
  readonly insecure: boolean;
  /** `all` for the registry itself. */
  readonly use: MirrorUse;
  readonly isMirror: boolean;
}

/** The rule with the longest matching prefix. */
export function findRule(
  rules: readonly RegistryRule[],
  reference: string,
): RegistryRule | undefined {
  return rules
    .filter(({ prefix }) => matchPrefix(reference, prefix) !== undefined)
    .toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
}

/**
 * The repositories from which an image may be read, in order: the mirrors, then the registry
 * itself.
 *
 * @param mirrors of regi's own configuration; they replace those of the rule.
 * @throws {InvalidConfigError} when a location does not make a reference.
 */
export function pullSources(
  reference: Reference,
  rule: RegistryRule | undefined,
  mirrors: readonly Mirror[] | undefined,
): readonly PullSource[] {
  const listed =
    mirrors?.map((mirror) => ({ ...mirror, prefix: reference.domain })) ??
    rule?.mirrors.map((mirror) => ({ ...mirror, prefix: rule.prefix })) ??
    [];
  return [
    ...listed.map(({ location, insecure, use, prefix }) => ({
      reference: rewritten(reference, prefix, location),
      insecure,
      use,
      isMirror: true,
    })),
    {
      reference: rule === undefined ? reference : rewritten(reference, rule.prefix, rule.location),
      insecure: rule?.insecure ?? false,
      use: 'all',
      isMirror: false,
    },
  ];
}

/** True if a source is used for references with a tag, or with a digest. */
export function takes({ use }: Pick<PullSource, 'use'>, kind: 'tag' | 'digest'): boolean {
  return use === 'all' || use === `${kind}-only`;
}

function rewritten(reference: Reference, prefix: string, location: string): Reference {
  const found = rewrite(reference, prefix, location);
  if (found !== undefined) return found;
  throw new InvalidConfigError(
    `Cannot replace "${prefix}" with the location "${location}" in "${formatReference(reference)}"`,
    {
      hint: 'correct that location in registries.conf, or in the mirrors of config.yaml',
    },
  );
}

/**
 * The number of characters of `reference` that a prefix of registries.conf matches; undefined if it
 * does not match. A prefix ends where a name ends; `*.` stands for any subdomains. As in podman and
 * skopeo, `example.com` matches `example.com:5000`.
 *
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-registries.conf.5.md#choosing-a-registry-toml-table
 */
export function matchPrefix(reference: string, prefix: string): number | undefined {
  const end = prefix.startsWith('*.')
    ? endOfDomain(reference, prefix.slice(1))
    : reference.startsWith(prefix)
      ? prefix.length
      : undefined;
  return end !== undefined && (end === reference.length || ':/@'.includes(reference.charAt(end)))
    ? end
    : undefined;
}

function endOfDomain(reference: string, domain: string): number | undefined {
  const start = reference.indexOf(domain);
  return start < 0 || reference.slice(0, start).includes('/') ? undefined : start + domain.length;
}

/**
 * Replaces the part of a reference that `prefix` matches with `location`. An empty location, which
 * only a prefix with `*.` may have, changes nothing.
 *
 * @returns undefined when the prefix does not match, or the result is not a full reference.
 */
export function rewrite(
  reference: Reference,
  prefix: string,
  location: string,
): Reference | undefined {
  const text = formatReference(reference);
  const covered = matchPrefix(text, prefix);
  if (covered === undefined) return undefined;
  if (location === '') return prefix.startsWith('*.') ? reference : undefined;
  const rewritten = `${location}${text.slice(covered)}`;
  try {
    const parsed = parseReference(rewritten);
    return formatReference(parsed) === rewritten ? parsed : undefined;
  } catch {
    return undefined;
  }
}
