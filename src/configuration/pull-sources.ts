import { InvalidConfigError, RegiError } from '../errors.ts';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import type { Mirror, MirrorUse, RegistriesConf, RegistryRule } from './registries-conf.ts';

/** A repository that an image may be read from. */
export interface PullSource {
  /** Its tag and digest are those that were asked for. */
  readonly reference: Reference;
  /** https unverified, then http. */
  readonly insecure: boolean;
  /** The registry itself takes all. */
  readonly use: MirrorUse;
  readonly isMirror: boolean;
}

/** The user's or the machine's configuration forbids a registry. */
export class BlockedRegistryError extends RegiError {
  /** @param name of an image or host. */
  constructor(name: string, prefix: string, files: readonly string[]) {
    super('REFUSED', `Cannot use "${name}": the registry "${prefix}" is blocked`, {
      hint: `it is blocked in one of: ${files.join(', ')}`,
    });
  }
}

/** The rule with the longest prefix that fits. */
export function findRule(
  { registries }: Pick<RegistriesConf, 'registries'>,
  reference: string,
): RegistryRule | undefined {
  return registries
    .filter(({ prefix }) => matchPrefix(reference, prefix) !== undefined)
    .reduce<RegistryRule | undefined>(
      (best, rule) => (best === undefined || rule.prefix.length > best.prefix.length ? rule : best),
      undefined,
    );
}

/**
 * Where an image may be read, in the order in which it is asked: the mirrors, then the registry itself.
 *
 * @param mirrors of regi's own configuration; they take the place of those of the rule.
 * @throws {InvalidConfigError} when a location makes no reference.
 */
export function pullSources(
  reference: Reference,
  rule: RegistryRule | undefined,
  mirrors: readonly Mirror[] | undefined,
): readonly PullSource[] {
  const prefix = rule?.prefix ?? reference.domain;
  const listed =
    mirrors === undefined
      ? (rule?.mirrors ?? []).map((mirror) => ({ ...mirror, prefix }))
      : mirrors.map((mirror) => ({ ...mirror, prefix: reference.domain }));
  return [
    ...listed.map(({ location, insecure, use, prefix: covered }) => ({
      reference: rewritten(reference, covered, location),
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

/** Whether a source is asked for what a tag, or a digest, names. */
export function takes({ use }: Pick<PullSource, 'use'>, kind: 'tag' | 'digest'): boolean {
  return use === 'all' || use === `${kind}-only`;
}

function rewritten(reference: Reference, prefix: string, location: string): Reference {
  const found = rewrite(reference, prefix, location);
  if (found !== undefined) return found;
  throw new InvalidConfigError(
    `Cannot put the location "${location}" in the place of "${prefix}" in "${formatReference(reference)}"`,
    {
      hint: 'correct that location in registries.conf, or in the mirrors of config.yaml',
    },
  );
}

/**
 * How many characters of `reference` a prefix of registries.conf covers; undefined when it does not fit. A prefix ends where a name ends; `*.`
 * stands for any subdomains. That `example.com` covers `example.com:5000` is how podman and skopeo read it.
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
 * The reference with `location` in the place of what `prefix` covers; an empty location leaves it as it is, which only a prefix with `*.` may have.
 *
 * @returns undefined when the prefix does not fit, or the result is no reference in full.
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
