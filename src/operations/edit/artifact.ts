import { toDescriptorJson, type Descriptor } from '../../oci/descriptor.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { madeJson, type MadeNode } from './memory-source.ts';

export interface ArtifactParts {
  /** What the artifact is, as a media type. */
  readonly artifactType: string;
  /** What it is about. */
  readonly subject: Descriptor;
  /** Its files, with their titles among the annotations of their descriptors. */
  readonly files: readonly MadeNode[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** An artifact: the manifest last. The same parts make the same artifact. */
export interface Artifact {
  readonly root: Descriptor;
  readonly nodes: readonly MadeNode[];
}

/**
 * Makes the manifest of an artifact that refers to an image.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
 */
export function makeArtifact({
  artifactType,
  subject,
  files,
  annotations,
}: ArtifactParts): Artifact {
  const config = madeJson(MEDIA_TYPE.ociEmpty, {});
  const { mediaType, digest, size } = subject;
  const manifest = madeJson(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    artifactType,
    config: toDescriptorJson(config.descriptor),
    layers: files.map(({ descriptor }) => toDescriptorJson(descriptor)),
    // Not more than names it: what else an index says of it is no business of the artifact.
    subject: { mediaType, digest, size },
    ...(Object.keys(annotations).length > 0 && { annotations }),
  });
  return { root: manifest.descriptor, nodes: [config, ...files, manifest] };
}
