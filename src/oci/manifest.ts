import { RegiError } from '../errors.ts';
import { isJsonObject, memberInOtherCase, tryParseJson, type JsonObject } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { InvalidManifestError, parseDescriptor, type Descriptor } from './descriptor.ts';
import {
  isArtifactManifestType,
  isImageManifestType,
  isIndexType,
  isManifestType,
  isSchema1Type,
  MEDIA_TYPE,
} from './media-types.ts';
import { quote } from '../quote.ts';

interface AnyManifest {
  /** The media type of the document itself. */
  readonly mediaType: string;
  /** The manifest that this one is about. */
  readonly subject?: Descriptor | undefined;
  /** The type of an artifact. */
  readonly artifactType?: string | undefined;
  /** Annotations; empty when there are none. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** An image (or artifact) of one platform: a config and layers. */
export interface ImageManifest extends AnyManifest {
  readonly kind: 'image';
  /** The config; an empty JSON object for most artifacts. */
  readonly config: Descriptor;
  /** The layers, the lowest first. */
  readonly layers: readonly Descriptor[];
}

/**
 * Several manifests under one name, one per platform. An artifact manifest of OCI 1.1 release
 * candidates, or of ORAS, is read as one whose entries are its blobs, and a manifest of an unknown
 * type as one whose entries are its config, layers and blobs.
 */
export interface ImageIndex extends AnyManifest {
  readonly kind: 'index';
  /** The entries, in the order of the index. */
  readonly manifests: readonly Descriptor[];
}

/** A manifest of one image, or an index of several. */
export type Manifest = ImageManifest | ImageIndex;

/**
 * Parses the bytes of a manifest or index.
 *
 * @param mediaType the type that the descriptor or Content-Type states. Content decides where it is
 *   unknown.
 * @throws {RegiError} UNSUPPORTED on docker schema 1.
 * @throws {InvalidManifestError} unless the body is exactly one of manifest and index. With a body
 *   that reads as both, one digest could mean two images (CVE-2021-41190).
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
export function parseManifest(bytes: Uint8Array, mediaType: string | undefined): Manifest {
  const body = parseObject(bytes);
  const isUnknown = isUnknownType(body, mediaType);
  const type = isUnknown ? mediaType : manifestType(body, mediaType);
  const { subject, artifactType } = body;
  const common = {
    mediaType: type,
    ...(subject !== undefined &&
      subject !== null && { subject: parseDescriptor(subject, 'subject') }),
    ...(typeof artifactType === 'string' && { artifactType }),
    annotations: parseAnnotations(body['annotations']),
  };
  if (isUnknown) return { kind: 'index', ...common, manifests: contentOf(body) };
  if (isArtifactManifestType(type))
    return { kind: 'index', ...common, manifests: parseList(body, 'blobs') };
  if (isIndexType(type))
    return { kind: 'index', ...common, manifests: parseList(body, 'manifests') };
  const config = parseDescriptor(body['config'], 'config');
  return { kind: 'image', ...common, config, layers: parseList(body, 'layers') };
}

/**
 * Lists the nodes that a destination needs before the manifest. A referrer may come before its
 * subject.
 */
export function childrenOf(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers];
}

/**
 * Returns the type that a referrers list shows for the manifest (distribution-spec 1.1, "Pushing
 * Manifests with Subject").
 */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  if (manifest.artifactType !== undefined && manifest.artifactType !== '')
    return manifest.artifactType;
  return manifest.kind === 'image' ? manifest.config.mediaType : undefined;
}

/**
 * Returns the type that tells people what an artifact is. Unlike a list of referrers it falls back
 * to the first layer where the config is empty, as cosign writes its bundles.
 */
export function shownTypeOf(manifest: Manifest): string | undefined {
  const listed = artifactTypeOf(manifest);
  if (isTelling(listed) || manifest.kind === 'index') return listed;
  return manifest.layers[0]?.mediaType ?? listed;
}

/** True for an artifact type of a list that says what the artifact is. */
export function isTelling(artifactType: string | undefined): artifactType is string {
  return artifactType !== undefined && artifactType !== '' && artifactType !== MEDIA_TYPE.ociEmpty;
}

/**
 * True if an index entry describes another entry and runs nowhere: buildkit's provenance and SBOMs.
 */
export function isAttestation(entry: Descriptor): boolean {
  return entry.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest';
}

/** The digest of the entry that an attestation describes; undefined for every other entry. */
export function attestedDigest(entry: Descriptor): string | undefined {
  return isAttestation(entry) ? entry.annotations?.['vnd.docker.reference.digest'] : undefined;
}

const MEMBERS: ReadonlySet<string> = new Set(
  'schemaVersion mediaType artifactType config layers manifests blobs subject annotations'.split(
    ' ',
  ),
);

/** True for a manifest that says to be of a type unknown here, and was offered as that type. */
function isUnknownType({ mediaType }: JsonObject, stated: string | undefined): stated is string {
  return stated !== undefined && mediaType === stated && !isManifestType(stated);
}

/** Descriptors in an unknown manifest, where they can be read: only its authors know the rest. */
function contentOf({ config, layers, blobs }: JsonObject): readonly Descriptor[] {
  const listed = [config, ...[layers, blobs].flatMap((list) => (Array.isArray(list) ? list : []))];
  return listed.slice(0, LIMITS.descriptors).flatMap((value: unknown, at) => {
    try {
      return isJsonObject(value) ? parseDescriptor(value, `content[${at}]`) : [];
    } catch (error) {
      if (error instanceof RegiError) return [];
      throw error;
    }
  });
}

function manifestType(body: JsonObject, stated: string | undefined): string {
  const { schemaVersion, mediaType } = body;
  if (schemaVersion === 1 || (stated !== undefined && isSchema1Type(stated)))
    throw new RegiError(
      'UNSUPPORTED',
      'Cannot use a docker schema 1 manifest: expected schema 2 or OCI',
      { hint: 'push the image again with a current docker, which writes schema 2' },
    );
  const isArtifact =
    typeof mediaType === 'string' && mediaType !== ''
      ? isArtifactManifestType(mediaType)
      : stated !== undefined && isArtifactManifestType(stated);
  // An artifact manifest has no schemaVersion.
  if (schemaVersion !== 2 && !isArtifact)
    throw invalid(`expected schemaVersion 2, found ${describeVersion(schemaVersion)}`);
  const inside = mediaType === '' ? undefined : mediaType;
  if (inside !== undefined && typeof inside !== 'string')
    throw invalid('expected mediaType to be text');
  const type = [inside, stated].find((it) => it !== undefined && isKnown(it)) ?? guessType(body);
  const other = otherKind(body, type);
  if (other !== undefined) throw invalid(`its type is ${type}, but it has members of ${other}`);
  // A registry refuses such a manifest: Content-Type must be the type in the body
  // (distribution-spec 1.1, "Pushing Manifests").
  if (inside !== undefined && stated !== undefined && isManifestType(stated) && inside !== stated)
    throw invalid(`its mediaType is ${quote(inside)}, but it was offered as ${quote(stated)}`);
  return type;
}

function describeVersion(version: unknown): string {
  if (typeof version === 'number') return String(version);
  return version === undefined ? 'none' : `a value of type ${typeof version}`;
}

/** Names another kind of manifest that a client which looks at other members could read. */
function otherKind(body: JsonObject, type: string): string | undefined {
  if ('fsLayers' in body) return 'a schema 1 manifest';
  if (isArtifactManifestType(type))
    return ['config', 'layers', 'manifests'].some((name) => name in body)
      ? 'an image manifest or index'
      : undefined;
  if (!isIndexType(type)) return 'manifests' in body ? 'an index' : undefined;
  return 'config' in body || 'layers' in body ? 'an image manifest' : undefined;
}

function guessType(body: JsonObject): string {
  const { manifests, layers } = body;
  if (Array.isArray(manifests) && !('layers' in body) && !('config' in body))
    return MEDIA_TYPE.ociIndex;
  if (Array.isArray(layers) && 'config' in body && !('manifests' in body))
    return MEDIA_TYPE.ociManifest;
  throw invalid('expected "manifests", or "config" and "layers"');
}

function isKnown(type: string): boolean {
  return isIndexType(type) || isImageManifestType(type) || isArtifactManifestType(type);
}

function parseObject(bytes: Uint8Array): JsonObject {
  const value = tryParseJson(bytes);
  if (isJsonObject(value)) {
    const odd = memberInOtherCase(value, MEMBERS);
    if (odd === undefined) return value;
    throw invalid(`its member ${quote(odd)} is written in another case, and not all tools read it`);
  }
  throw invalid(value === undefined ? 'expected JSON' : 'expected a JSON object');
}

/** Some tools write null for an empty list, or leave out the layers of an artifact. */
function parseList(
  body: JsonObject,
  name: 'manifests' | 'layers' | 'blobs',
): readonly Descriptor[] {
  const list = body[name] ?? (name !== 'manifests' || body[name] === null ? [] : undefined);
  if (!Array.isArray(list)) throw invalid(`expected ${name} to be a list`);
  if (list.length > LIMITS.descriptors)
    throw invalid(`expected at most ${LIMITS.descriptors} ${name}, found ${list.length}`);
  return list.map((item: unknown, index) => parseDescriptor(item, `${name}[${index}]`));
}

function parseAnnotations(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

/** Returns the media type of a manifest by its bytes; undefined if they are not one. */
export function manifestTypeOf(bytes: Uint8Array): string | undefined {
  try {
    return parseManifest(bytes, undefined).mediaType;
  } catch (error) {
    if (error instanceof RegiError) return undefined;
    throw error;
  }
}

function invalid(problem: string): InvalidManifestError {
  return new InvalidManifestError(`Cannot read manifest: ${problem}`);
}
