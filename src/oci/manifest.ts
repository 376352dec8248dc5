import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { InvalidManifestError, parseDescriptor, type Descriptor } from './descriptor.ts';
import { isImageManifestType, isIndexType, isSchema1Type, MEDIA_TYPE } from './media-types.ts';
import { quote } from '../quote.ts';

/** An image (or artifact) of one platform: a config and layers. */
export interface ImageManifest {
  readonly kind: 'image';
  /** The media type of the manifest itself. */
  readonly mediaType: string;
  /** The config; an empty JSON object for most artifacts. */
  readonly config: Descriptor;
  /** The layers, the lowest first. */
  readonly layers: readonly Descriptor[];
  /** The manifest that this one is about. */
  readonly subject?: Descriptor | undefined;
  /** The type of an artifact. */
  readonly artifactType?: string | undefined;
  /** Annotations; empty when there are none. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Several manifests under one name, one per platform. */
export interface ImageIndex {
  readonly kind: 'index';
  /** The media type of the index itself. */
  readonly mediaType: string;
  /** The entries, in the order of the index. */
  readonly manifests: readonly Descriptor[];
  /** The manifest that this index is about. */
  readonly subject?: Descriptor | undefined;
  /** The type of an artifact. */
  readonly artifactType?: string | undefined;
  /** Annotations; empty when there are none. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** A manifest of one image, or an index of several. */
export type Manifest = ImageManifest | ImageIndex;

/**
 * Parses the bytes of a manifest or index.
 *
 * @param mediaType what the descriptor or the Content-Type said; unknown types are told apart by content.
 * @throws {UnsupportedManifestError} on docker schema 1.
 * @throws {InvalidManifestError} on anything that is not exactly one of manifest and index: a body that reads as both is how
 *   one digest can mean two images (CVE-2021-41190).
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
export function parseManifest(bytes: Uint8Array, mediaType: string | undefined): Manifest {
  const body = parseObject(bytes);
  const type = manifestType(body, mediaType);
  const common = {
    mediaType: type,
    ...('subject' in body &&
      body['subject'] !== null && { subject: parseDescriptor(body['subject'], 'subject') }),
    ...(typeof body['artifactType'] === 'string' && { artifactType: body['artifactType'] }),
    annotations: parseAnnotations(body['annotations']),
  };
  if (isIndexType(type))
    return { kind: 'index', ...common, manifests: parseList(body['manifests'], 'manifests') };
  return {
    kind: 'image',
    ...common,
    config: parseDescriptor(body['config'], 'config'),
    layers: parseList(body['layers'] ?? [], 'layers'),
  };
}

/** What must be at a destination before the manifest may be. The subject is not: a referrer may come before it. */
export function childrenOf(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers];
}

/** The type that a referrers list shows for the manifest (distribution-spec 1.1, "Pushing Manifests with Subject"). */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  if (manifest.artifactType !== undefined && manifest.artifactType !== '')
    return manifest.artifactType;
  return manifest.kind === 'image' ? manifest.config.mediaType : undefined;
}

function manifestType(body: Record<string, unknown>, told: string | undefined): string {
  if (body['schemaVersion'] === 1 || (told !== undefined && isSchema1Type(told))) {
    throw new RegiError(
      'UNSUPPORTED',
      'Cannot use a docker schema 1 manifest: expected schema 2 or OCI',
      {
        hint: 'push the image again with a current docker, which writes schema 2',
      },
    );
  }
  if (body['schemaVersion'] !== 2)
    throw new InvalidManifestError(
      `Cannot read manifest: expected schemaVersion 2, found ${describeVersion(body['schemaVersion'])}`,
    );
  const inside = body['mediaType'] === '' ? undefined : body['mediaType'];
  if (inside !== undefined && typeof inside !== 'string')
    throw new InvalidManifestError('Cannot read manifest: expected mediaType to be text');
  const type =
    [inside, told].find((candidate) => candidate !== undefined && isKnown(candidate)) ??
    guessType(body);
  const foreign = foreignMembers(body, type);
  if (foreign !== undefined)
    throw new InvalidManifestError(
      `Cannot read manifest: its type is ${type}, but it has members of ${foreign}`,
    );
  // A registry refuses such a manifest: Content-Type must be what the body says of itself (distribution-spec 1.1, "Pushing Manifests").
  if (inside !== undefined && told !== undefined && isKnown(told) && inside !== told) {
    throw new InvalidManifestError(
      `Cannot read manifest: it says ${quote(inside)} of itself, and was offered as ${quote(told)}`,
    );
  }
  return type;
}

function describeVersion(version: unknown): string {
  return typeof version === 'number'
    ? String(version)
    : version === undefined
      ? 'none'
      : `a value of type ${typeof version}`;
}

/** What else the body could be read as, by whoever looks at other members. */
function foreignMembers(body: Record<string, unknown>, type: string): string | undefined {
  if ('fsLayers' in body) return 'a schema 1 manifest';
  if (isIndexType(type))
    return 'config' in body || 'layers' in body ? 'an image manifest' : undefined;
  return 'manifests' in body ? 'an index' : undefined;
}

function guessType(body: Record<string, unknown>): string {
  if (Array.isArray(body['manifests']) && !('layers' in body) && !('config' in body))
    return MEDIA_TYPE.ociIndex;
  if (Array.isArray(body['layers']) && 'config' in body && !('manifests' in body))
    return MEDIA_TYPE.ociManifest;
  throw new InvalidManifestError(
    'Cannot read manifest: expected "manifests", or "config" and "layers"',
  );
}

function isKnown(type: string): boolean {
  return isIndexType(type) || isImageManifestType(type);
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidManifestError('Cannot read manifest: expected JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidManifestError('Cannot read manifest: expected a JSON object');
  return value as Record<string, unknown>;
}

function parseList(value: unknown, name: string): readonly Descriptor[] {
  if (value === null) return [];
  if (!Array.isArray(value))
    throw new InvalidManifestError(`Cannot read manifest: expected ${name} to be a list`);
  if (value.length > LIMITS.descriptors) {
    throw new InvalidManifestError(
      `Cannot read manifest: expected at most ${LIMITS.descriptors} ${name}, found ${value.length}`,
    );
  }
  return value.map((item: unknown, index) => parseDescriptor(item, `${name}[${index}]`));
}

function parseAnnotations(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

/** The media type that the bytes of a manifest tell; undefined when they are none. */
export function manifestTypeOf(bytes: Uint8Array): string | undefined {
  try {
    return parseManifest(bytes, undefined).mediaType;
  } catch (error) {
    if (error instanceof RegiError) return undefined;
    throw error;
  }
}
