import { basename } from 'node:path';

import { openLocalFile } from '../../disk/input-file.ts';
import { toDescriptorJson, type Descriptor } from '../../oci/descriptor.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import type { CallOptions } from '../../store.ts';
import { jsonNode, type MemoryNode } from './memory-source.ts';

export interface ArtifactParts {
  /** Type of the artifact: a media type. */
  readonly artifactType: string;
  /** The manifest that the artifact refers to. */
  readonly subject: Descriptor;
  /** The files; the annotations of their descriptors hold their titles. */
  readonly files: readonly MemoryNode[];
  /** Annotations of the manifest. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** An artifact, its manifest last. The same parts give the same digests. */
export interface Artifact {
  /** The manifest. */
  readonly root: Descriptor;
  /** All content, the manifest last. */
  readonly nodes: readonly MemoryNode[];
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
  const config = jsonNode(MEDIA_TYPE.ociEmpty, {});
  const { mediaType, digest, size } = subject;
  const manifest = jsonNode(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    artifactType,
    config: toDescriptorJson(config.descriptor),
    layers: files.map(({ descriptor }) => toDescriptorJson(descriptor)),
    // Only the three members that identify it: annotations of an index entry do not belong here.
    subject: { mediaType, digest, size },
    ...(Object.keys(annotations).length > 0 && { annotations }),
  });
  return { root: manifest.descriptor, nodes: [config, ...files, manifest] };
}

export interface ArtifactFileOptions extends CallOptions {
  /** The type of all files; derived from the name of each by default. */
  readonly mediaType?: string | undefined;
}

/**
 * Reads the files of an artifact once, for their digests. The title of each is its name without
 * folders.
 *
 * @param paths absolute, or relative to the working directory of the process.
 * @throws {RegiError} NOT_FOUND when there is no such file, or a folder.
 */
export async function artifactFiles(
  paths: readonly string[],
  { mediaType, signal }: ArtifactFileOptions = {},
): Promise<readonly MemoryNode[]> {
  const files: MemoryNode[] = [];
  for (const path of paths) {
    const { digest, size, read } = await openLocalFile(path, { signal });
    const type = /\.json$/i.test(path) ? 'application/json' : 'application/octet-stream';
    const annotations = { 'org.opencontainers.image.title': basename(path) };
    files.push({ descriptor: { mediaType: mediaType ?? type, digest, size, annotations }, read });
  }
  return files;
}
