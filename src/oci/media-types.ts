import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';

/**
 * Media types of manifests that regi walks.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md
 */
export const MEDIA_TYPE = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  orasArtifact: 'application/vnd.cncf.oras.artifact.manifest.v1+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/**
 * The Accept header of manifests, on HEAD and GET. Registries match it literally: distribution 2.8
 * responds with 404 for an OCI manifest whose type is not listed, and with the linux/amd64 child of
 * an unlisted manifest list. Schema 1 comes last, so that an image without a newer manifest is
 * reported as such and not as missing.
 */
export const MANIFEST_ACCEPT = [
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerManifestList,
  MEDIA_TYPE.dockerManifest,
  MEDIA_TYPE.ociArtifact,
  MEDIA_TYPE.orasArtifact,
  MEDIA_TYPE.dockerSchema1Signed,
  MEDIA_TYPE.dockerSchema1,
].join(', ');

/**
 * Layers whose content is at `urls` and is not uploaded (deprecated by the image-spec, still in
 * use).
 */
const FOREIGN_LAYER =
  /^application\/vnd\.(docker\.image\.rootfs\.foreign\.diff\.tar|oci\.image\.layer\.nondistributable\.v1\.tar)(?:[.+]\w+)?$/;

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerManifestList;
}

export function isImageManifestType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociManifest || mediaType === MEDIA_TYPE.dockerManifest;
}

export function isSchema1Type(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.dockerSchema1 || mediaType === MEDIA_TYPE.dockerSchema1Signed;
}

/**
 * True for the artifact manifests of OCI 1.1 release candidates and of ORAS, which list blobs and
 * have no config.
 */
export function isArtifactManifestType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociArtifact || mediaType === MEDIA_TYPE.orasArtifact;
}

/** True if a node of this type is stored as a manifest, not as a blob. */
export function isManifestType(mediaType: string): boolean {
  return (
    isIndexType(mediaType) ||
    isImageManifestType(mediaType) ||
    isArtifactManifestType(mediaType) ||
    isSchema1Type(mediaType)
  );
}

/** True for a layer that only the holder of a key can read. */
export function isEncryptedType(mediaType: string): boolean {
  return mediaType.endsWith('+encrypted');
}

export function isForeignLayerType(mediaType: string): boolean {
  return FOREIGN_LAYER.test(mediaType);
}

/**
 * Returns the type without its parameters, in lower case: `Application/JSON; charset=utf-8` →
 * `application/json`.
 */
export function essence(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/**
 * True for the config of an image that runs, whichever tool wrote it; false for those of artifacts.
 */
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
