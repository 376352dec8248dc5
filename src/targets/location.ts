import { RegiError } from '../errors.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { parseReference, parseRepository, type Reference } from '../oci/reference.ts';
import { quote } from '../quote.ts';

/** A file or folder, and one of its images. Without name and digest it means the only image. */
interface PathLocation {
  /**
   * As typed, `~` and relative paths included; `-` is standard input or output where the kind is a
   * file.
   */
  readonly path: string;
  /** The image's name inside: a tag or a full reference. */
  readonly reference?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** An OCI image layout folder. */
export interface LayoutLocation extends PathLocation {
  readonly kind: 'oci';
}

/** An image tar. `archive` accepts any format; the other two name one. */
export interface ArchiveLocation extends PathLocation {
  readonly kind: 'archive' | 'docker-archive' | 'oci-archive';
}

/**
 * A folder of one image, as skopeo's `dir:` writes it. It has no names: the path is everything
 * after the prefix.
 */
export interface FolderLocation extends PathLocation {
  readonly kind: 'dir';
}

/** An image in a registry, or an image of the same name in the local store. */
export interface NamedLocation {
  readonly kind: 'registry' | 'local';
  readonly reference: Reference;
  /** True if `docker://` was typed: the local store is then never meant. */
  readonly isExplicit?: true | undefined;
}

/** A location that can hold several images, each with a name of its own. */
export type ImagesLocation = ArchiveLocation | LayoutLocation;

/** The source or destination of an image. */
export type Location = NamedLocation | ImagesLocation | FolderLocation;

/** True for a tar of images, which is written once and as a whole. */
export function isArchive(location: Location): location is ArchiveLocation {
  return holdsImages(location) && location.kind !== 'oci';
}

/** True for an archive or layout. */
export function holdsImages(location: Location): location is ImagesLocation {
  return 'path' in location && location.kind !== 'dir';
}

/**
 * Returns what was typed after the repository or path: a tag or name, a digest, both or nothing.
 */
export function suffixOf(location: Location): {
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
} {
  return 'path' in location
    ? { tag: location.reference, digest: location.digest }
    : { tag: location.reference.tag, digest: location.reference.digest };
}

/**
 * True for a location that names no single image: a repository, or an archive or layout as a whole.
 */
export function isWhole(location: Location): boolean {
  const { tag, digest } = suffixOf(location);
  return tag === undefined && digest === undefined;
}

const PATH_KINDS = [
  'oci',
  'archive',
  'docker-archive',
  'oci-archive',
  'dir',
] as const satisfies readonly Location['kind'][];
type PathKind = (typeof PATH_KINDS)[number];

const OTHER_PLACE = ['regi does not read it', 'write oci:DIR or archive:FILE'] as const;

/**
 * Prefixes of other tools. Without this check, `docker-daemon:debian` would be a repository of
 * Docker Hub.
 */
const FOREIGN: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  'docker-daemon': [
    'it needs a container engine',
    'run "docker save IMAGE -o FILE", and write archive:FILE',
  ],
  'containers-storage': [
    'it needs a container engine',
    'run "podman save --format oci-archive -o FILE IMAGE", and write archive:FILE',
  ],
  ostree: OTHER_PLACE,
  sif: OTHER_PLACE,
  tarball: OTHER_PLACE,
  ocidir: ['that is the prefix of another tool', 'write oci:DIR[:REF]'],
};

const REFERENCE_PREFIX = 'docker://';
const LOCAL_PREFIX = 'local:';
const DRIVE_LETTER = /^[A-Za-z]:[\\/]/;
const BARE_PATH = /^(?:\.{0,2}[\\/]|~|\.{1,2}$|[A-Za-z]:[\\/])/;
const DIGEST_AT_END = /@(?=sha\d+:[^@]*$)/i;
/**
 * The image-spec's grammar of `org.opencontainers.image.ref.name`, which accepts tags and full
 * references alike.
 */
const NAME_INSIDE = /^[A-Za-z0-9](?:[A-Za-z0-9._:@+/-]*[A-Za-z0-9])?$/;
const NAME_INSIDE_LENGTH = 512;

/**
 * Parses a location: a reference (`docker://` is accepted), `local:REF`, or `oci:`, `archive:`,
 * `docker-archive:`, `oci-archive:` or `dir:` and a path. After a path, `:REF` and `@DIGEST` name
 * an image. The path ends at its first ":" except that of a drive letter, so a path cannot contain
 * another one.
 *
 * @throws {RegiError} INVALID_REFERENCE on a path without a prefix, an unknown prefix or a
 *   malformed location.
 * @throws {InvalidReferenceError} on a malformed reference.
 * @throws {InvalidDigestError} on a malformed digest.
 */
export function parseLocation(text: string): Location {
  return parse(text, parseReference);
}

/**
 * Parses the location of a repository: like `parseLocation`, but without a tag or digest.
 *
 * @throws {RegiError} like `parseLocation`, and when a tag, name or digest follows.
 */
export function parseRepositoryLocation(text: string): Location {
  const location = parse(text, parseRepository);
  if ('path' in location && !isWhole(location))
    throw invalid(
      text,
      'expected no name of an image',
      `write "${location.kind}:${location.path}"`,
    );
  return location;
}

function parse(text: string, parseName: (name: string) => Reference): Location {
  if (text.startsWith(REFERENCE_PREFIX)) {
    const name = text.slice(REFERENCE_PREFIX.length);
    refuseRegistry(name);
    return { kind: 'registry', reference: parseName(name), isExplicit: true };
  }
  if (text.startsWith(LOCAL_PREFIX))
    return { kind: 'local', reference: parseName(text.slice(LOCAL_PREFIX.length)) };
  if (isBarePath(text)) throw barePath(text);
  const kind = PATH_KINDS.find((prefix) => text.startsWith(`${prefix}:`));
  if (kind !== undefined) return parsePathLocation(kind, text);
  refuseForeignPrefix(text);
  refuseRegistry(text);
  return { kind: 'registry', reference: parseName(text) };
}

function parsePathLocation(kind: PathKind, text: string): Location {
  const rest = text.slice(kind.length + 1);
  // helm writes a registry as `oci://registry.example/app`; as a path it would silently be a folder
  // at the root.
  if (rest.startsWith('//')) {
    const [name, path] = [rest.slice(2), `${kind}:${rest.slice(1)}`];
    throw invalid(
      text,
      `expected a path after "${kind}:", found "//"`,
      `write ${quote(name)} for an image in a registry, or ${quote(path)} for a path`,
    );
  }
  const { path, name, digest: typedDigest } = splitPath(rest, kind === 'dir');
  const digest = typedDigest === undefined ? undefined : parseDigest(typedDigest);
  checkPath(path, kind, text);
  const reference = name === undefined ? undefined : checkName(name, text);
  return {
    kind,
    path,
    ...(reference !== undefined && { reference }),
    ...(digest !== undefined && { digest }),
  };
}

/**
 * Splits `PATH[:NAME][@DIGEST]`. The path ends at its first ":" except that of a drive letter.
 *
 * @param isNameless the path has no names inside, and may contain ":".
 */
export function splitPath(
  text: string,
  isNameless = false,
): {
  readonly path: string;
  readonly name: string | undefined;
  readonly digest: string | undefined;
} {
  const digestAt = text.search(DIGEST_AT_END);
  const named = digestAt < 0 ? text : text.slice(0, digestAt);
  const colon = isNameless ? -1 : named.indexOf(':', DRIVE_LETTER.test(named) ? 2 : 0);
  return {
    path: colon < 0 ? named : named.slice(0, colon),
    name: colon < 0 ? undefined : named.slice(colon + 1),
    digest: digestAt < 0 ? undefined : text.slice(digestAt + 1),
  };
}

function checkPath(path: string, kind: PathKind, text: string): void {
  const rest = kind === 'dir' ? 'DIR' : `${kind === 'oci' ? 'DIR' : 'FILE'}[:REF|@DIGEST]`;
  const form = `write ${kind}:${rest}`;
  if (path === '') throw invalid(text, `expected a path after "${kind}:"`, form);
  if (path.includes('\0')) throw invalid(text, 'expected a path without NUL characters', form);
  // No shell expands "~" after a prefix, and the image would go into a folder of that name.
  if (/^~[\\/]?/.test(path))
    throw invalid(
      text,
      'the shell does not expand "~" there',
      `write ${quote(text.replace('~', '$HOME'))}, or "${kind}:./~…" for a folder of that name`,
    );
}

function checkName(name: string, text: string): string {
  if (name.length <= NAME_INSIDE_LENGTH && NAME_INSIDE.test(name)) return name;
  throw invalid(
    text,
    name === ''
      ? 'expected a tag or reference after the last ":"'
      : `expected a tag or reference, found ${quote(name)}`,
    'write a tag or a full reference after the path; the path itself cannot contain ":"',
  );
}

/** True for a path without a prefix: `./dir`, `/dir`, `..`. */
export function isBarePath(text: string): boolean {
  return BARE_PATH.test(text);
}

function barePath(text: string): RegiError {
  const path = text.startsWith('~') ? text.replace('~', '$HOME') : text;
  const forms = [
    `${quote(`oci:${path}`)} for a layout folder`,
    `${quote(`archive:${path}`)} for an image file`,
  ];
  const [likely, other] = /\.(?:tar|tgz|tar\.\w+)$/i.test(text) ? forms.toReversed() : forms;
  return invalid(
    text,
    'expected a prefix that says what the path is',
    `write ${likely}, or ${other}`,
  );
}

function refuseForeignPrefix(text: string): void {
  const colon = text.indexOf(':');
  if (colon < 0) return;
  const prefix = text.slice(0, colon);
  const [why, hint] = (Object.hasOwn(FOREIGN, prefix) ? FOREIGN[prefix] : undefined) ?? [];
  if (why !== undefined)
    throw new RegiError(
      'INVALID_REFERENCE',
      `Cannot use ${quote(text)}: regi does not know "${prefix}:", ${why}`,
      { hint },
    );
  // A tag does not start with ".", "/" or "~", so the word before the colon was meant as a prefix.
  if (/^[a-z][a-z0-9+-]*$/i.test(prefix) && /^(?:\.{0,2}[\\/](?!\/)|~)/.test(text.slice(colon + 1)))
    throw invalid(
      text,
      `unknown prefix "${prefix}:"`,
      'write oci:DIR for a layout folder, archive:FILE for an image file, or a reference for a registry',
    );
}

/**
 * Matches `localhost`, an IPv4 address or a host name with dots, each with its port, and the first
 * two also without.
 */
const BARE_REGISTRY =
  /^(?:(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?|(?:[a-z0-9-]+\.)+[a-z]{2,}:\d{2,5})\/*$/i;

/**
 * Refuses a registry in place of an image: the grammar of docker takes its port for the tag of an
 * image of Docker Hub.
 *
 * @throws {RegiError} INVALID_REFERENCE.
 */
export function refuseRegistry(text: string): void {
  if (!BARE_REGISTRY.test(text)) return;
  const host = text.replace(/\/+$/, '');
  throw new RegiError(
    'INVALID_REFERENCE',
    `Cannot use ${quote(text)} as an image: it names a registry without a repository`,
    {
      hint: `write ${quote(`${host}/NAME`)}; to list its repositories, type: regi repos list ${host}`,
    },
  );
}

function invalid(text: string, problem: string, hint: string): RegiError {
  return new RegiError('INVALID_REFERENCE', `Cannot parse location ${quote(text)}: ${problem}`, {
    hint,
  });
}
