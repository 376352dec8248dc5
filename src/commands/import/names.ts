import { UsageError } from '../../errors.ts';
import {
  formatReference,
  InvalidReferenceError,
  parseRepository,
  parseTag,
  referenceIn,
  type Reference,
  type Repository,
} from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { NamedImage } from '../../store.ts';
import { describeNames } from '../../targets/local.ts';
import { parseLocation, type NamedLocation } from '../../targets/location.ts';
import type { ImageSource } from '../../targets/opened-store.ts';

/** The destination of one image. */
interface Destination {
  readonly kind: NamedLocation['kind'];
  readonly repository: Repository;
  readonly tag: string | undefined;
}

/** `--map OLD=NEW`, parsed. */
export interface NameMapping {
  /** As typed. */
  readonly text: string;
  readonly old: string;
  readonly to: NamedLocation;
}

/** The rules that turn the names of an archive into destinations. */
export interface ImportNaming {
  /** Precedes each repository path; undefined for the local store. */
  readonly prefix: Repository | undefined;
  readonly mappings: readonly NameMapping[];
}

/** An image of an archive and its destination. */
export interface PlannedImport {
  readonly entry: NamedImage;
  /** The image's name in the archive, or its digest. */
  readonly label: string;
  readonly target: NamedLocation;
}

/**
 * Parses PREFIX: `HOST[:PORT][/PATH]`.
 *
 * @throws {UsageError} when it is malformed, or docker would not read its first word as a registry.
 */
export function parsePrefix(text: string): Repository {
  const bare = text.replace(/^docker:\/\//, '').replace(/\/+$/, '');
  const [host = ''] = bare.split('/', 1);
  const refuse = (problem: string, hint: string): UsageError =>
    new UsageError(`Cannot use ${quote(text)} as PREFIX: ${problem}`, { hint });
  let probe: Repository;
  try {
    probe = parseRepository(`${bare}/x`);
  } catch (error) {
    if (!(error instanceof InvalidReferenceError)) throw error;
    throw refuse(
      'expected HOST[:PORT][/PATH]',
      'write a registry, and a path if wanted: registry.example:5000/mirror; --map OLD=NEW gives one image a name',
    );
  }
  if (probe.domain !== host && !(host === 'index.docker.io' && probe.domain === 'docker.io')) {
    throw refuse(
      `docker's rules do not read ${quote(host)} as a registry`,
      `write ${quote(`${host}:443${bare.slice(host.length)}`)} for a registry of that name, or ${quote(`docker.io/${bare}`)}`,
    );
  }
  return { domain: probe.domain, path: bare.slice(host.length + 1) };
}

/** Parses `--map OLD=NEW`. @throws {UsageError} */
export function parseMapping(text: string): NameMapping {
  const equals = text.indexOf('=');
  const [old, to] = [text.slice(0, Math.max(equals, 0)), text.slice(equals + 1)];
  if (old === '' || to === '') {
    throw new UsageError(`Cannot use ${quote(text)} for "--map": expected OLD=NEW`, {
      hint: 'write a name in the archive and its new one: --map debian:12=registry.example/mirror/debian:12',
    });
  }
  const location = parseLocation(to);
  if ('path' in location)
    throw new UsageError(`Cannot use ${quote(text)} for "--map": expected a reference after "="`, {
      hint: 'for a layout or another archive type: regi copy archive:FILE:NAME DST',
    });
  return { text, old, to: location };
}

/** The names in an archive. */
type NamesIn = Pick<ImageSource, 'images' | 'unnamed' | 'omitted'>;

/**
 * Returns the destination of each image. A mapping of an image wins over one of its repository, and
 * both win over the prefix. Two names of the same content with one destination count once.
 *
 * @throws {UsageError} when two images go to one name, a mapping matches no image, or an image has
 *   no destination.
 */
export function planNames(
  { images, unnamed, omitted }: NamesIn,
  naming: ImportNaming,
): readonly PlannedImport[] {
  const used = new Set<NameMapping>();
  const planned = new Map<string, PlannedImport>();
  const unplaced: string[] = [];
  for (const entry of images) {
    const { digest } = entry.root;
    const label = entry.name ?? digest;
    const destination = destinationOf(entry, unnamed, naming, used);
    if (destination === undefined) {
      unplaced.push(label);
      continue;
    }
    const { kind, repository, tag } = destination;
    const reference: Reference = {
      ...repository,
      ...(tag === undefined ? { digest } : { tag: parseTag(tag) }),
    };
    const key = `${kind}:${formatReference(reference)}`;
    const before = planned.get(key);
    if (before !== undefined && before.entry.root.digest !== digest) throw sameName(before, label);
    planned.set(key, before ?? { entry, label, target: { kind, reference } });
  }
  const recorded = new Set(omitted.flatMap(({ repositories }) => repositories));
  const isRecorded = ({ old }: NameMapping): boolean =>
    [...recorded].some((repository) => isSameRepository(old, repository));
  const unusedMapping = naming.mappings.find(
    (mapping) => !used.has(mapping) && !isRecorded(mapping),
  );
  if (unusedMapping !== undefined)
    throw new UsageError(
      `Cannot use ${quote(unusedMapping.text)} for "--map": the archive has no image of that name`,
      { hint: describeNames(images.map(({ name, root }) => name ?? root.digest)) },
    );
  const [lost] = unplaced;
  if (lost !== undefined)
    throw new UsageError(
      `Cannot import ${quote(lost)}: no --map names it, and there is no PREFIX`,
      {
        hint: 'add a PREFIX for all others; for a single image write archive:FILE:NAME in place of FILE',
      },
    );
  return [...planned.values()];
}

function isSameRepository(old: string, repository: string): boolean {
  const known = referenceIn(repository);
  return known !== undefined && isOfRepository(old, known);
}

/**
 * Returns where images of a repository in the archive went before, likeliest first: earlier
 * archives had the same names.
 */
export function repositoriesOfBase(
  repository: string,
  naming: ImportNaming,
): readonly Repository[] {
  const known = referenceIn(repository);
  if (known === undefined) return [];
  const mapped = naming.mappings
    .filter(({ old }) => isOfRepository(old, known))
    .map(({ to }) => to.reference);
  return [...mapped, ...(naming.prefix === undefined ? [] : [under(naming.prefix, known)])];
}

function destinationOf(
  image: NamedImage,
  unnamed: Repository,
  { prefix, mappings }: ImportNaming,
  used: Set<NameMapping>,
): Destination | undefined {
  const own = image.repository ?? unnamed;
  const exact = mappings.find(({ old }) => meansImage(old, image));
  const whole = exact ?? mappings.find(({ old }) => isRepository(old, own));
  for (const mapping of mappings)
    if (meansImage(mapping.old, image) || isRepository(mapping.old, own)) used.add(mapping);
  if (whole !== undefined) {
    const { domain, path, tag } = whole.to.reference;
    return { kind: whole.to.kind, repository: { domain, path }, tag: tag ?? image.tag };
  }
  if (prefix !== undefined)
    return { kind: 'registry', repository: under(prefix, own), tag: image.tag };
  return mappings.length > 0 ? undefined : { kind: 'local', repository: own, tag: image.tag };
}

/** Returns PREFIX + the repository path without its registry. */
export function under(prefix: Repository, { path }: Repository): Repository {
  return { domain: prefix.domain, path: prefix.path === '' ? path : `${prefix.path}/${path}` };
}

/** True if `--map` names this image: `debian:12`, a bare tag or a digest. */
function meansImage(old: string, { name, tag, repository, root }: NamedImage): boolean {
  if (old === name || old === root.digest || (repository === undefined && old === tag)) return true;
  const typed = referenceIn(old);
  return (
    typed?.tag !== undefined &&
    typed.tag === tag &&
    repository !== undefined &&
    isOfRepository(old, repository)
  );
}

/** True if `--map` names this repository: `debian`, without a tag. */
function isRepository(old: string, repository: Repository): boolean {
  const typed = referenceIn(old);
  return (
    typed !== undefined &&
    typed.tag === undefined &&
    typed.digest === undefined &&
    isOfRepository(old, repository)
  );
}

function isOfRepository(old: string, { domain, path }: Repository): boolean {
  const typed = referenceIn(old);
  return typed !== undefined && typed.domain === domain && typed.path === path;
}

function sameName({ label, target }: PlannedImport, second: string): UsageError {
  return new UsageError(
    `Cannot import ${quote(label)} and ${quote(second)} under one name: both would be ${quote(formatReference(target.reference))}`,
    { hint: 'give one of them another name with --map OLD=NEW' },
  );
}
