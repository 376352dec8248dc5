import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { RegiError, type RegiErrorOptions } from '../errors.ts';
import type { Io } from '../io.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { quote } from '../quote.ts';
import { parseReference, parseRepository, type Reference } from '../oci/reference.ts';

/** Where on disk an image is: a file or folder, and which of its images. Without name and digest it is the only one. */
interface PathLocation {
  /** As typed, `~` and relative paths included; `-` is standard input or output where the kind is a file. */
  readonly path: string;
  /** The image's name inside: a tag or a full reference. */
  readonly reference?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** An OCI image layout folder. */
export interface LayoutLocation extends PathLocation {
  readonly kind: 'oci';
}

/** An image tar. `archive` is read whatever its format is; the other two name one format. */
export interface ArchiveLocation extends PathLocation {
  readonly kind: 'archive' | 'docker-archive' | 'oci-archive';
}

/** A folder of one image, as skopeo's `dir:` writes it. It has no names: everything behind the prefix is the path. */
export interface FolderLocation extends PathLocation {
  readonly kind: 'dir';
}

/** An image in a registry, or, of the same name, in the local store. */
export interface NamedLocation {
  readonly kind: 'registry' | 'local';
  readonly reference: Reference;
}

/** Where an image is or goes. */
export type Location = NamedLocation | LayoutLocation | ArchiveLocation | FolderLocation;

/** A text that says no place, or one that is not for regi. */
export class InvalidLocationError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_REFERENCE', message, options);
  }
}

const PATH_KINDS = [
  'oci',
  'archive',
  'docker-archive',
  'oci-archive',
  'dir',
] as const satisfies readonly Location['kind'][];
type PathKind = (typeof PATH_KINDS)[number];

/** What other tools move by these prefixes. Without the check, `docker-daemon:debian` is a repository of that name on Docker Hub. */
const FOREIGN: Readonly<Record<string, { readonly why: string; readonly hint: string }>> = {
  'docker-daemon': {
    why: 'it needs a container engine',
    hint: 'run "docker save IMAGE -o FILE", and write archive:FILE',
  },
  'containers-storage': {
    why: 'it needs a container engine',
    hint: 'run "podman save --format oci-archive -o FILE IMAGE", and write archive:FILE',
  },
  ostree: { why: 'it is no place that regi reads', hint: 'write oci:DIR or archive:FILE' },
  sif: { why: 'it is no place that regi reads', hint: 'write oci:DIR or archive:FILE' },
  tarball: { why: 'it is no place that regi reads', hint: 'write oci:DIR or archive:FILE' },
  ocidir: { why: 'that is the prefix of another tool', hint: 'write oci:DIR[:REF]' },
};

const REFERENCE_PREFIX = 'docker://';
const LOCAL_PREFIX = 'local:';
const DRIVE_LETTER = /^[A-Za-z]:[\\/]/;
const BARE_PATH = /^(?:\.{0,2}[\\/]|~|\.{1,2}$|[A-Za-z]:[\\/])/;
const DIGEST_AT_END = /@(?=sha\d+:[^@]*$)/i;
/** The image-spec's grammar of `org.opencontainers.image.ref.name`, which holds tags and full references alike. */
const NAME_INSIDE = /^[A-Za-z0-9](?:[A-Za-z0-9._:@+/-]*[A-Za-z0-9])?$/;
const NAME_INSIDE_LENGTH = 512;

/**
 * Parses a location: a reference (`docker://` is accepted), `local:REF`, or `oci:`, `archive:`, `docker-archive:`,
 * `oci-archive:` or `dir:` and a path. Behind a path `:REF` and `@DIGEST` name an image; the path ends at its first ":",
 * that of a drive letter apart, so it can hold no other.
 *
 * @throws {InvalidLocationError} on a path without a prefix, on prefixes that are not for regi, and on malformed ones.
 * @throws {InvalidReferenceError} where a reference is meant and none is found.
 * @throws {InvalidDigestError} where a digest is meant and none is found.
 */
export function parseLocation(text: string): Location {
  return parse(text, parseReference);
}

/**
 * Parses the location of a repository: as `parseLocation`, but without a tag or digest.
 *
 * @throws {InvalidLocationError} as `parseLocation`, and when a path has a name or digest behind it.
 * @throws {InvalidReferenceError} where a repository is meant and none, or more than that, is found.
 */
export function parseRepositoryLocation(text: string): Location {
  const location = parse(text, parseRepository);
  if ('path' in location && (location.reference !== undefined || location.digest !== undefined)) {
    const hint = `write "${location.kind}:${location.path}"`;
    throw new InvalidLocationError(
      `Cannot parse location ${quote(text)}: expected no name of an image`,
      { hint },
    );
  }
  return location;
}

function parse(text: string, parseName: (name: string) => Reference): Location {
  if (text.startsWith(REFERENCE_PREFIX))
    return { kind: 'registry', reference: parseName(text.slice(REFERENCE_PREFIX.length)) };
  if (text.startsWith(LOCAL_PREFIX))
    return { kind: 'local', reference: parseName(text.slice(LOCAL_PREFIX.length)) };
  if (isBarePath(text)) throw barePath(text);
  const kind = PATH_KINDS.find((prefix) => text.startsWith(`${prefix}:`));
  if (kind !== undefined) return parsePathLocation(kind, text);
  refuseForeignPrefix(text);
  return { kind: 'registry', reference: parseName(text) };
}

function parsePathLocation(kind: PathKind, text: string): Location {
  const rest = text.slice(kind.length + 1);
  if (rest.startsWith('//')) throw schemeOfPath(kind, text);
  const digestAt = rest.search(DIGEST_AT_END);
  const named = digestAt < 0 ? rest : rest.slice(0, digestAt);
  const digest = digestAt < 0 ? undefined : parseDigest(rest.slice(digestAt + 1));
  const colon = kind === 'dir' ? -1 : named.indexOf(':', DRIVE_LETTER.test(named) ? 2 : 0);
  const path = colon < 0 ? named : named.slice(0, colon);
  checkPath(path, kind, text);
  const reference = colon < 0 ? undefined : checkName(named.slice(colon + 1), text);
  return {
    kind,
    path,
    ...(reference !== undefined && { reference }),
    ...(digest !== undefined && { digest }),
  };
}

function checkPath(path: string, kind: PathKind, text: string): void {
  const action = `Cannot parse location ${quote(text)}`;
  const form =
    kind === 'dir'
      ? 'dir:DIR'
      : kind === 'oci'
        ? 'oci:DIR[:REF|@DIGEST]'
        : `${kind}:FILE[:REF|@DIGEST]`;
  if (path === '')
    throw new InvalidLocationError(`${action}: expected a path after "${kind}:"`, {
      hint: `write ${form}`,
    });
  if (path.includes('\0'))
    throw new InvalidLocationError(`${action}: expected a path without NUL characters`, {
      hint: `write ${form}`,
    });
  // No shell expands it behind a prefix, and the image would go into a folder named "~".
  if (/^~[\\/]?/.test(path)) {
    const hint = `write ${quote(text.replace('~', '$HOME'))}, or "${kind}:./~…" for a folder of that name`;
    throw new InvalidLocationError(`${action}: the shell does not expand "~" there`, { hint });
  }
}

function checkName(name: string, text: string): string {
  const hint = 'write a tag or a full reference after the path, whose own characters hold no ":"';
  if (name === '')
    throw new InvalidLocationError(
      `Cannot parse location ${quote(text)}: expected a tag or reference after the last ":"`,
      { hint },
    );
  if (name.length <= NAME_INSIDE_LENGTH && NAME_INSIDE.test(name)) return name;
  throw new InvalidLocationError(
    `Cannot parse location ${quote(text)}: expected a tag or reference, found ${quote(name)}`,
    { hint },
  );
}

/** Whether a text is a path without a prefix: `./dir`, `/dir`, `..`. */
function isBarePath(text: string): boolean {
  return BARE_PATH.test(text);
}

function barePath(text: string): InvalidLocationError {
  const path = text.startsWith('~') ? text.replace('~', '$HOME') : text;
  const [likely, other] = /\.(?:tar|tgz|tar\.\w+)$/i.test(text)
    ? ['archive', 'oci']
    : ['oci', 'archive'];
  const use = { archive: 'for an image file', oci: 'for a layout folder' } as const;
  return new InvalidLocationError(
    `Cannot parse location ${quote(text)}: expected a prefix that says what the path is`,
    {
      hint: `write ${quote(`${likely}:${path}`)} ${use[likely as keyof typeof use]}, or ${quote(`${other}:${path}`)} ${use[other as keyof typeof use]}`,
    },
  );
}

/** `oci://registry.example/app` is how helm writes a registry; as a path it would quietly be a folder at the root. */
function schemeOfPath(kind: PathKind, text: string): InvalidLocationError {
  const rest = text.slice(kind.length + 3);
  return new InvalidLocationError(
    `Cannot parse location ${quote(text)}: expected a path after "${kind}:", found "//"`,
    {
      hint: `write ${quote(rest)} for an image in a registry, or ${quote(`${kind}:/${rest}`)} for a path`,
    },
  );
}

function refuseForeignPrefix(text: string): void {
  const colon = text.indexOf(':');
  if (colon < 0) return;
  const prefix = text.slice(0, colon);
  const foreign = Object.hasOwn(FOREIGN, prefix) ? FOREIGN[prefix] : undefined;
  if (foreign !== undefined) {
    throw new InvalidLocationError(
      `Cannot use ${quote(text)}: "${prefix}:" is not for regi, ${foreign.why}`,
      { hint: foreign.hint },
    );
  }
  // A tag begins with no ".", "/" or "~", so what stands before the colon was meant as a prefix.
  if (
    /^[a-z][a-z0-9+-]*$/i.test(prefix) &&
    /^(?:\.{0,2}[\\/](?!\/)|~)/.test(text.slice(colon + 1))
  ) {
    throw new InvalidLocationError(
      `Cannot parse location ${quote(text)}: unknown prefix "${prefix}:"`,
      {
        hint: 'write oci:DIR for a layout folder, archive:FILE for an image file, or a reference for a registry',
      },
    );
  }
}

/** What archives are called, for those that are not there. */
const TAR_NAME = /\.(?:tar|tgz|tzst)(?:\.\w+)?$/;

/** Parses a location that is only read: a path needs no prefix, for the disk knows whether it is an archive or a layout. */
export async function parseSourceLocation(
  text: string,
  { cwd }: Pick<Io, 'cwd'>,
): Promise<Location> {
  if (!isBarePath(text)) return parseLocation(text);
  const isArchive = (await isFile(resolve(cwd, text))) ?? TAR_NAME.test(text);
  return parseLocation(`${isArchive ? 'archive' : 'oci'}:${text}`);
}

/** Undefined for what is not there, or cannot be looked at: why is told when it is opened. */
async function isFile(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return undefined;
  }
}
