import { join } from 'node:path';

import { LimitExceededError } from '../../bytes.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { LIMITS } from '../../limits.ts';
import {
  type Descriptor,
  InvalidManifestError,
  parseDescriptor,
  toDescriptorJson,
} from '../../oci/descriptor.ts';
import { type Digest, digestOf, isDigest, parseDigest } from '../../oci/digest.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { tryParseJson } from '../../json.ts';
import { quote, quotePath } from '../../quote.ts';

/**
 * The annotations that name an image in an index.json: a tag or a full reference, and containerd's,
 * which is always full.
 */
export const REF_NAME = 'org.opencontainers.image.ref.name';
export const IMAGE_NAME = 'io.containerd.image.name';

type JsonObject = Readonly<Record<string, unknown>>;

/** One entry of an index.json, with all its members, also those that regi does not know. */
export interface LayoutEntry {
  /** The entry as it was read. */
  readonly json: JsonObject;
  /** The annotation `org.opencontainers.image.ref.name`. */
  readonly refName: string | undefined;
  /** The annotation `io.containerd.image.name`. */
  readonly imageName: string | undefined;
  /** Unchecked: for comparing only. */
  readonly digest: unknown;
}

/** The index.json of a layout. */
export interface LayoutIndex {
  /** The document as it was read. */
  readonly json: JsonObject;
  /** The entries, in their order. */
  readonly entries: readonly LayoutEntry[];
  /** Set where the file itself is the index of an image, as `asImage()` finds. */
  readonly image?: Descriptor | undefined;
}

export const EMPTY_INDEX: LayoutIndex = {
  json: { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex },
  entries: [],
};

/**
 * Parses an index.json. `descriptorOf` checks an entry when it is used, so that one of an unknown
 * kind does not hide the others.
 *
 * @param where names the file in messages.
 * @throws {InvalidManifestError} when it is no index.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md#indexjson-file
 */
export function parseLayoutIndex(bytes: Uint8Array, where = 'index.json'): LayoutIndex {
  const json = parseJsonObject(bytes, where);
  if (json['schemaVersion'] !== undefined && json['schemaVersion'] !== 2) {
    throw new InvalidManifestError(
      `Cannot read ${where}: expected schemaVersion 2, found ${JSON.stringify(json['schemaVersion'])}`,
    );
  }
  if ('config' in json || 'layers' in json)
    throw new InvalidManifestError(
      `Cannot read ${where}: expected an index, found members of an image manifest`,
    );
  const manifests = json['manifests'] ?? [];
  if (!Array.isArray(manifests))
    throw new InvalidManifestError(`Cannot read ${where}: expected manifests to be a list`);
  if (manifests.length > LIMITS.descriptors) {
    throw new InvalidManifestError(
      `Cannot read ${where}: expected at most ${LIMITS.descriptors} manifests, found ${manifests.length}`,
    );
  }
  return { json, entries: manifests.map(toEntry) };
}

/**
 * Reads an index.json that is the index of one image, as ko and others write it: several entries
 * without names, each with a platform of its own. Its only entry is then the file itself. Any other
 * index is returned as it is.
 *
 * @param bytes those of the index.
 */
export function asImage(index: LayoutIndex, bytes: Uint8Array): LayoutIndex {
  const { json, entries } = index;
  const platforms = entries.map((entry) => entry.json['platform']);
  const known = platforms.filter((platform) => isObject(platform) && platform['os'] !== 'unknown');
  const isImage =
    known.length > 1 &&
    platforms.every(isObject) &&
    entries.every((entry) => nameOf(entry) === undefined) &&
    new Set(known.map((platform) => JSON.stringify(platform))).size === known.length;
  if (!isImage) return index;
  const mediaType = textOf(json['mediaType']) ?? MEDIA_TYPE.ociIndex;
  const image = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  return { json, entries: [toEntry(toDescriptorJson(image))], image };
}

/**
 * Makes the bytes of an index.json.
 *
 * @throws {LimitExceededError} when they would be too large to be read again.
 */
export function formatLayoutIndex({ json, entries }: LayoutIndex): Uint8Array {
  const bytes = new TextEncoder().encode(
    JSON.stringify({ ...json, manifests: entries.map((entry) => entry.json) }),
  );
  if (bytes.byteLength > LIMITS.manifestBytes) {
    throw new LimitExceededError(
      `Cannot write index.json: expected at most ${LIMITS.manifestBytes} bytes, found ${bytes.byteLength}`,
      { hint: 'put some of the images into another layout' },
    );
  }
  return bytes;
}

/**
 * Returns the descriptor in an entry, without the entry's own names and annotations. @throws
 * {InvalidManifestError}
 */
export function descriptorOf(entry: LayoutEntry): Descriptor {
  // Annotations that are no text (image-spec#648) do not make the image unusable.
  const { mediaType, digest, size } = entry.json;
  return parseDescriptor(
    { mediaType, digest, size },
    `of ${quote(nameOf(entry) ?? 'an unnamed image')} in index.json`,
  );
}

export function nameOf(entry: LayoutEntry): string | undefined {
  return entry.refName ?? entry.imageName;
}

/**
 * Lists every name once. A tag of several images (docker save writes those) is listed by their full
 * names.
 */
export function namesOf({ entries }: LayoutIndex): readonly string[] {
  const uses = new Map<string, number>();
  for (const { refName } of entries)
    if (refName !== undefined) uses.set(refName, (uses.get(refName) ?? 0) + 1);
  const names = entries.map((entry) => {
    const isShared = entry.refName !== undefined && (uses.get(entry.refName) ?? 0) > 1;
    return isShared ? (entry.imageName ?? entry.refName) : nameOf(entry);
  });
  return [...new Set(names.filter((name) => name !== undefined))];
}

/**
 * Finds the entries that a name can mean: those with that full name; else those whose only name it
 * is; else those with that tag and other full names, which may be different images.
 */
export function entriesNamed({ entries }: LayoutIndex, name: string): readonly LayoutEntry[] {
  const full = entries.filter((entry) => entry.imageName === name);
  if (full.length > 0) return full;
  const tagged = entries.filter((entry) => entry.refName === name);
  const only = tagged.filter((entry) => entry.imageName === undefined);
  return only.length > 0 ? only : tagged;
}

/** Adds `target` without a name; returns the same index when it has an entry. */
export function withUnnamed(index: LayoutIndex, target: Descriptor): LayoutIndex {
  if (index.entries.some((entry) => entry.digest === target.digest)) return index;
  return { ...index, entries: [...index.entries, newEntry(target, {})] };
}

/**
 * Gives `name` to `target` alone. Another entry of that name is removed, unless it has a full name
 * of its own or its digest is in `kept`: then it stays without this name.
 */
export function withName(
  index: LayoutIndex,
  target: Descriptor,
  name: string,
  kept: ReadonlySet<unknown> = new Set(),
): LayoutIndex {
  const replaced = entriesNamed(index, name);
  const [current] = replaced;
  if (current?.digest === target.digest && replaced.length === 1 && countNamed(index, name) === 1)
    return index;
  const names = namesFor(name, current);
  const unnamed = index.entries.find(
    (entry) => entry.digest === target.digest && nameOf(entry) === undefined,
  );
  const rest = index.entries
    .filter((entry) => entry !== unnamed)
    .flatMap((entry) => withoutNameOf(entry, name, kept));
  const named = unnamed === undefined ? newEntry(target, names) : annotated(unnamed, names);
  return { ...index, entries: [...rest, named] };
}

/** Removes the entries that `name` means; those whose digest is in `kept` stay without a name. */
export function withoutName(
  index: LayoutIndex,
  name: string,
  kept: ReadonlySet<unknown> = new Set(),
): LayoutIndex {
  const removed = new Set(entriesNamed(index, name));
  const entries = index.entries.flatMap((entry) => {
    if (!removed.has(entry)) return [entry];
    return kept.has(entry.digest) ? [annotated(entry, {})] : [];
  });
  return { ...index, entries };
}

/**
 * Sets an annotation of the entries of a full name, or removes it when it is undefined. Returns the
 * same index when nothing changes.
 */
export function withAnnotation(
  index: LayoutIndex,
  name: string,
  [key, value]: readonly [string, string | undefined],
): LayoutIndex {
  if (
    index.entries.every((entry) => entry.imageName !== name || annotationOf(entry, key) === value)
  )
    return index;
  const entries = index.entries.map((entry) => {
    if (entry.imageName !== name) return entry;
    const { annotations: before, ...rest } = entry.json;
    const { [key]: _before, ...others } = isObject(before) ? before : {};
    return toEntry({
      ...rest,
      annotations: { ...others, ...(value !== undefined && { [key]: value }) },
    });
  });
  return { ...index, entries };
}

export function annotationOf({ json }: LayoutEntry, key: string): string | undefined {
  return isObject(json['annotations']) ? textOf(json['annotations'][key]) : undefined;
}

/** Parses JSON that must be an object. @throws {InvalidManifestError} */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  const value = tryParseJson(bytes);
  if (isObject(value)) return value;
  const wanted = value === undefined ? 'JSON' : 'a JSON object';
  throw new InvalidManifestError(`Cannot read ${what}: expected ${wanted}`);
}

interface Names {
  readonly refName?: string | undefined;
  readonly imageName?: string | undefined;
}

function namesFor(name: string, current: LayoutEntry | undefined): Names {
  if (current?.imageName === name) return { refName: current.refName ?? name, imageName: name };
  return { refName: name, imageName: isFullReference(name) ? name : undefined };
}

/** True for `registry.example/repository:tag`, the only kind of name in containerd. */
function isFullReference(name: string): boolean {
  const slash = name.indexOf('/');
  const domain = name.slice(0, Math.max(slash, 0));
  return (
    (/[.:]/.test(domain) || domain === 'localhost') && name.lastIndexOf(':') > name.lastIndexOf('/')
  );
}

function withoutNameOf(
  entry: LayoutEntry,
  name: string,
  kept: ReadonlySet<unknown>,
): readonly LayoutEntry[] {
  if (entry.imageName !== name && entry.refName !== name) return [entry];
  if (entry.imageName !== undefined && entry.imageName !== name)
    return [annotated(entry, { refName: entry.imageName, imageName: entry.imageName })];
  return kept.has(entry.digest) ? [annotated(entry, {})] : [];
}

function countNamed({ entries }: LayoutIndex, name: string): number {
  return entries.filter((entry) => entry.refName === name || entry.imageName === name).length;
}

function newEntry(
  { mediaType, digest, size, artifactType, platform }: Descriptor,
  names: Names,
): LayoutEntry {
  return annotated(
    toEntry(toDescriptorJson({ mediaType, digest, size, artifactType, platform })),
    names,
  );
}

/** Replaces the names of an entry. */
function annotated({ json }: LayoutEntry, { refName, imageName }: Names): LayoutEntry {
  const { annotations: before, ...rest } = json;
  const { [REF_NAME]: _ref, [IMAGE_NAME]: _image, ...others } = isObject(before) ? before : {};
  const annotations = {
    ...others,
    ...(refName !== undefined && { [REF_NAME]: refName }),
    ...(imageName !== undefined && { [IMAGE_NAME]: imageName }),
  };
  return toEntry({ ...rest, ...(Object.keys(annotations).length > 0 && { annotations }) });
}

/** Reads the names of an entry. @throws {InvalidManifestError} */
export function toEntry(json: unknown): LayoutEntry {
  if (!isObject(json))
    throw new InvalidManifestError(
      'Cannot read index.json: expected each of manifests to be an object',
    );
  const annotations = isObject(json['annotations']) ? json['annotations'] : {};
  return {
    json,
    refName: textOf(annotations[REF_NAME]),
    imageName: textOf(annotations[IMAGE_NAME]),
    digest: json['digest'],
  };
}

/** An empty annotation names nothing. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Returns the digest that a reference is, or that pins it: `name:tag@sha256:…`. @throws
 * {InvalidDigestError} when the text after "@" is no digest.
 */
export function digestIn(reference: string): Digest | undefined {
  if (isDigest(reference)) return reference;
  const at = reference.lastIndexOf('@');
  return at < 0 ? undefined : parseDigest(reference.slice(at + 1));
}

/** Returns the descriptors of the entries that regi can read. */
export function usable(entries: readonly LayoutEntry[]): readonly Descriptor[] {
  return entries.flatMap((entry) => {
    try {
      return [descriptorOf(entry)];
    } catch (error) {
      if (error instanceof InvalidManifestError) return [];
      throw error;
    }
  });
}

/**
 * Reads the index.json of the layout folder `root`; undefined when it is missing.
 *
 * @param view `asImage` for a reader; a writer keeps the entries as they are.
 * @throws {InvalidManifestError} when it is no index: then all names are lost, and its hint differs
 *   from that of one damaged image.
 */
export async function readIndexFile(
  root: string,
  view: (index: LayoutIndex, bytes: Uint8Array) => LayoutIndex = (index) => index,
): Promise<LayoutIndex | undefined> {
  const path = join(root, 'index.json');
  const bytes = await readRegular(path, LIMITS.manifestBytes);
  if (bytes === undefined) return undefined;
  try {
    return view(parseLayoutIndex(bytes, quotePath(path)), bytes);
  } catch (error) {
    if (!(error instanceof InvalidManifestError)) throw error;
    throw new InvalidManifestError(error.message, {
      hint: 'put a copy of the file back; or remove it, and copy or pull the images there again: complete blobs are not fetched twice',
      cause: error,
    });
  }
}
