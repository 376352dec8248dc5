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
import { UsageError } from '../../errors.ts';
import type { ImageSource } from '../../targets/image-source.ts';
import { parseLocation, type NamedLocation } from '../../targets/location.ts';

/** Where a repository of an archive goes; a tag or digest is added to it. */
interface Destination {
  readonly kind: NamedLocation['kind'];
  readonly repository: Repository;
}

/** `--map OLD=NEW`, parsed. */
export interface NameMapping {
  /** As typed. */
  readonly text: string;
  readonly old: string;
  readonly to: NamedLocation;
}

/** Where the images of an archive go, by their names in it. */
export interface ImportNaming {
  /** Before each repository path; undefined for the local store. */
  readonly prefix: Repository | undefined;
  readonly mappings: readonly NameMapping[];
}

/** An image of an archive and where it goes. */
export interface PlannedImport {
  readonly image: NamedImage;
  /** What the archive calls it. */
  readonly name: string;
  readonly target: NamedLocation;
}

/**
 * Parses PREFIX: `HOST[:PORT][/PATH]`.
 *
 * @throws {UsageError} when it is none, also when docker would not read its first word as a registry.
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
      'write a registry and, if you like, a path: registry.example:5000/mirror; --map OLD=NEW gives one image a name',
    );
  }
  if (probe.domain !== host && !(host === 'index.docker.io' && probe.domain === 'docker.io')) {
    throw refuse(
      `${quote(host)} is no registry to docker's rules`,
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
      hint: 'write a name of the archive and what it becomes: --map debian:12=registry.example/mirror/debian:12',
    });
  }
  const location = parseLocation(to);
  if (location.kind !== 'registry' && location.kind !== 'local') {
    throw new UsageError(`Cannot use ${quote(text)} for "--map": expected a reference behind "="`, {
      hint: 'for a layout or another archive type: regi copy archive:FILE:NAME DST',
    });
  }
  return { text, old, to: location };
}

/** What is in an archive. */
type NamesIn = Pick<ImageSource, 'images' | 'unnamed' | 'omitted'>;

/**
 * Says where each image goes. A mapping of an image counts before one of its repository, and both before the prefix. Two names with
 * the same content that go to one name are one.
 *
 * @throws {UsageError} when two images go to one name, when a mapping means no image, and when nothing says where an image goes.
 */
export function planNames(
  { images, unnamed, omitted }: NamesIn,
  naming: ImportNaming,
): readonly PlannedImport[] {
  const used = new Set<NameMapping>();
  const planned = new Map<string, PlannedImport>();
  const unplaced: string[] = [];
  for (const image of images) {
    const name = image.name ?? image.root.digest;
    const destination = destinationOf(image, unnamed, naming, used);
    if (destination === undefined) {
      unplaced.push(name);
      continue;
    }
    const { kind, repository, tag } = destination;
    const reference: Reference =
      tag === undefined
        ? { ...repository, digest: image.root.digest }
        : { ...repository, tag: parseTag(tag) };
    const key = `${kind}:${formatReference(reference)}`;
    const before = planned.get(key);
    if (before !== undefined && before.image.root.digest !== image.root.digest)
      throw sameName(before, name);
    planned.set(key, before ?? { image, name, target: { kind, reference } });
  }
  const recorded = new Set(omitted.flatMap(({ repositories }) => repositories));
  const isRecorded = ({ old }: NameMapping): boolean =>
    [...recorded].some((repository) => isSameRepository(old, repository));
  const unusedMapping = naming.mappings.find(
    (mapping) => !used.has(mapping) && !isRecorded(mapping),
  );
  if (unusedMapping !== undefined) {
    throw new UsageError(
      `Cannot use ${quote(unusedMapping.text)} for "--map": the archive has no image of that name`,
      { hint: describe(images) },
    );
  }
  if (unplaced.length > 0) {
    throw new UsageError(
      `Cannot tell where ${quote(unplaced[0] ?? '')} goes: no --map names it, and there is no PREFIX`,
      {
        hint: 'add a PREFIX for all others; for a single image write archive:FILE:NAME in place of FILE',
      },
    );
  }
  return [...planned.values()];
}

function isSameRepository(old: string, repository: string): boolean {
  const known = referenceIn(repository);
  return known !== undefined && isOfRepository(old, known);
}

/** Where what the archive calls `repository` has gone before, likeliest first: another archive of the same names came there. */
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
): (Destination & { readonly tag: string | undefined }) | undefined {
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

function under(prefix: Repository, { path }: Repository): Repository {
  return { domain: prefix.domain, path: prefix.path === '' ? path : `${prefix.path}/${path}` };
}

/** `debian:12`, a bare tag, or a digest. */
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

/** `debian`, without a tag. */
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

function sameName({ name, target }: PlannedImport, second: string): UsageError {
  return new UsageError(
    `Cannot import ${quote(name)} and ${quote(second)} under one name: both would be ${quote(formatReference(target.reference))}`,
    {
      hint: 'give one of them another name with --map OLD=NEW',
    },
  );
}

function describe(images: readonly NamedImage[]): string {
  const names = images.map(({ name, root }) => name ?? root.digest);
  return `it holds ${names.slice(0, 5).map(quote).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}
