import { bytesOf } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { isJsonObject, tryParseJson, type JsonObject } from '../../json.ts';
import { LIMITS } from '../../limits.ts';
import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { isAttestation, parseManifest } from '../../oci/manifest.ts';
import { isManifestType, MEDIA_TYPE } from '../../oci/media-types.ts';
import { quote } from '../../quote.ts';
import type { Source } from '../../store.ts';
import type { ManifestNode, ReadNode } from './read-manifest.ts';

/** The media types of a manifest: those of the OCI image-spec, or docker's older ones. */
export type ManifestFormat = 'oci' | 'docker';

const LAYER = ['application/vnd.docker.image.rootfs.', 'application/vnd.oci.image.layer.'] as const;

/** The media types of docker, and those of OCI for the same bytes. */
const PAIRS: readonly (readonly [docker: string, oci: string])[] = [
  [MEDIA_TYPE.dockerManifestList, MEDIA_TYPE.ociIndex],
  [MEDIA_TYPE.dockerManifest, MEDIA_TYPE.ociManifest],
  [MEDIA_TYPE.dockerConfig, MEDIA_TYPE.ociConfig],
  [`${LAYER[0]}diff.tar`, `${LAYER[1]}v1.tar`],
  [`${LAYER[0]}diff.tar.gzip`, `${LAYER[1]}v1.tar+gzip`],
  [`${LAYER[0]}foreign.diff.tar`, `${LAYER[1]}nondistributable.v1.tar`],
  [`${LAYER[0]}foreign.diff.tar.gzip`, `${LAYER[1]}nondistributable.v1.tar+gzip`],
];
const TYPES: Readonly<Record<ManifestFormat, ReadonlyMap<string, string>>> = {
  oci: new Map(PAIRS),
  docker: new Map(PAIRS.map(([docker, oci]) => [oci, docker])),
};

/** An image with other media types, and a source that has its manifests. */
export interface ConvertedImage {
  readonly root: Descriptor;
  readonly source: Source;
}

/**
 * Converts a manifest, and the images of an index, to the media types of a format. Configs and
 * layers keep their bytes, and attestations theirs; what has those types already keeps its digest.
 *
 * @throws {RegiError} UNSUPPORTED where docker has no type, as for zstd layers and artifacts.
 */
export async function convertFormat(
  source: Source,
  root: Descriptor,
  format: ManifestFormat,
  read: ReadNode,
): Promise<ConvertedImage> {
  const made = new Map<string, Uint8Array>();
  const convert = async (node: Descriptor, depth: number): Promise<Descriptor> => {
    if (depth > LIMITS.indexDepth)
      throw new InvalidManifestError(
        `Cannot convert ${node.digest}: expected at most ${LIMITS.indexDepth} levels of indexes`,
      );
    const from = await read(node);
    const before = jsonOf(from);
    const { manifest } = from;
    const mediaType = typeIn(format, manifest.mediaType, from);
    const retype = (json: unknown): unknown => {
      if (!isJsonObject(json)) return json;
      return { ...json, mediaType: typeIn(format, String(json['mediaType']), from) };
    };
    const after =
      manifest.kind === 'image'
        ? {
            ...before,
            mediaType,
            config: retype(before['config']),
            layers: listOf(before['layers']).map(retype),
          }
        : {
            ...before,
            mediaType,
            manifests: await entriesOf(manifest.manifests, listOf(before['manifests']), depth),
          };
    const text = JSON.stringify(after);
    if (text === JSON.stringify(before)) return node;
    const bytes = new TextEncoder().encode(text);
    // What regi makes has to be readable by regi.
    parseManifest(bytes, mediaType);
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
    made.set(descriptor.digest, bytes);
    return descriptor;
  };
  async function entriesOf(
    entries: readonly Descriptor[],
    json: readonly unknown[],
    depth: number,
  ): Promise<readonly unknown[]> {
    const digests = new Map<unknown, string>();
    const converted: unknown[] = [];
    for (const [at, entry] of entries.entries()) {
      const own = json[at];
      if (!isJsonObject(own) || !isManifestType(entry.mediaType) || isAttestation(entry)) {
        converted.push(own);
        continue;
      }
      const { mediaType, digest, size } = await convert(entry, depth + 1);
      digests.set(entry.digest, digest);
      converted.push({ ...own, mediaType, digest, size });
    }
    // An attestation names its image by the digest.
    return converted.map((entry) => attesting(entry, digests));
  }
  const converted = await convert(root, 0);
  return {
    root: converted,
    source: {
      place: source.place,
      repository: source.repository,
      resolve: (reference, options) => source.resolve(reference, options),
      fetch(target, options) {
        const bytes = made.get(target.digest);
        return bytes === undefined
          ? source.fetch(target, options)
          : bytesOf(bytes.subarray(options?.offset ?? 0));
      },
      exists: async (target, options) =>
        made.has(target.digest) || (await source.exists(target, options)),
    },
  };
}

const ATTESTED = 'vnd.docker.reference.digest';

function attesting(entry: unknown, digests: ReadonlyMap<unknown, string>): unknown {
  if (!isJsonObject(entry) || !isJsonObject(entry['annotations'])) return entry;
  const digest = digests.get(entry['annotations'][ATTESTED]);
  return digest === undefined
    ? entry
    : { ...entry, annotations: { ...entry['annotations'], [ATTESTED]: digest } };
}

function typeIn(format: ManifestFormat, mediaType: string, { descriptor }: ManifestNode): string {
  const found = TYPES[format].get(mediaType);
  if (found !== undefined) return found;
  const isDocker = PAIRS.some(([docker]) => docker === mediaType);
  if (format === 'oci' || isDocker) return mediaType;
  throw new RegiError(
    'UNSUPPORTED',
    `Cannot write ${descriptor.digest} with docker's media types: it has none for ${quote(mediaType)}`,
    { hint: 'use --format oci, or drop --format' },
  );
}

function jsonOf({ bytes }: ManifestNode): JsonObject {
  const body = tryParseJson(bytes);
  return isJsonObject(body) ? body : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
