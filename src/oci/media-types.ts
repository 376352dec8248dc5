import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';

/** Media types of manifests that regi walks. @see https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md */
export const MEDIA_TYPE = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/**
 * What is asked for in Accept, on HEAD as on GET. Registries match it literally: distribution 2.8 answers 404 for an OCI
 * manifest whose type is not listed, and turns a manifest list into its linux/amd64 child.
 * Schema 1 is listed last, so that an image that has nothing newer is reported as such and not as missing.
 */
export const MANIFEST_ACCEPT = [
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerManifestList,
  MEDIA_TYPE.dockerManifest,
  MEDIA_TYPE.dockerSchema1Signed,
  MEDIA_TYPE.dockerSchema1,
].join(', ');

const INDEX_TYPES: ReadonlySet<string> = new Set([
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.dockerManifestList,
]);
const IMAGE_TYPES: ReadonlySet<string> = new Set([
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerManifest,
]);
const SCHEMA1_TYPES: ReadonlySet<string> = new Set([
  MEDIA_TYPE.dockerSchema1,
  MEDIA_TYPE.dockerSchema1Signed,
]);

/** Layers whose content lives at `urls` and is not uploaded (deprecated by the image-spec, still met). */
const FOREIGN_LAYER =
  /^application\/vnd\.(docker\.image\.rootfs\.foreign\.diff\.tar|oci\.image\.layer\.nondistributable\.v1\.tar)(?:[.+]\w+)?$/;

export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.has(mediaType);
}

export function isImageManifestType(mediaType: string): boolean {
  return IMAGE_TYPES.has(mediaType);
}

export function isSchema1Type(mediaType: string): boolean {
  return SCHEMA1_TYPES.has(mediaType);
}

/** Whether a node of this type is kept among manifests (and not among blobs). */
export function isManifestType(mediaType: string): boolean {
  return isIndexType(mediaType) || isImageManifestType(mediaType) || isSchema1Type(mediaType);
}

export function isForeignLayerType(mediaType: string): boolean {
  return FOREIGN_LAYER.test(mediaType);
}

/** The type without its parameters, lower case: `Application/JSON; charset=utf-8` → `application/json`. */
export function essence(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** True for the config of an image that runs, whichever tool wrote it; false for those of artifacts. */
export function isImageConfigType(mediaType: string): boolean {
  return /\.image(?:\.config)?\.v1\+json$/.test(mediaType);
}

/** RFC 6838, 4.2, without parameters: no registry accepts them in an artifactType. */
const NAME = /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/;

/**
 * Checks a media type that a person typed.
 *
 * @param where the flag or option that it was typed for.
 * @throws {RegiError} USAGE on any other text.
 */
export function parseMediaType(where: string, text: string): string {
  if (NAME.test(text)) return text;
  throw new RegiError(
    'USAGE',
    `Cannot use ${quote(text)} for ${quote(where)}: expected a media type, TYPE/SUBTYPE`,
    { hint: 'such as application/spdx+json, or application/vnd.example.report.v1' },
  );
}
