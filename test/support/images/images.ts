import { gzipSync } from 'node:zlib';

import { bytesOf } from '../../../src/bytes.ts';
import { toDescriptorJson, type Descriptor, type Platform } from '../../../src/oci/descriptor.ts';
import { digestOf, type Digest, type DigestAlgorithm } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import type { CallOptions, Store } from '../../../src/store.ts';
import { randomBytes } from './random-bytes.ts';
import { zstdOf } from './zstd.ts';

export interface TestNode {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A small real image, index or artifact with all its nodes. */
export interface TestImage {
  readonly root: Descriptor;
  /** Every node once, children before parents, the root last. */
  readonly nodes: ReadonlyMap<Digest, TestNode>;
  /** Pushes every node in order, and names the root when a tag is given. */
  pushAll(store: Store, tag?: string, options?: CallOptions): Promise<void>;
}

export interface TestImageManifest extends TestImage {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface TestImageIndex extends TestImage {
  readonly images: readonly TestImageManifest[];
  /** One for each image, or none. */
  readonly attestations: readonly TestImageManifest[];
}

export interface ImageOptions {
  /** Bytes of the one random file in each layer; a layer is a little larger, being tar and gzip. */
  readonly layers?: readonly number[] | undefined;
  /** Different seeds give different bytes. */
  readonly seed?: number | undefined;
  readonly platform?: Platform | undefined;
  readonly format?: 'oci' | 'docker' | undefined;
  /** Packs the layers by zstd, and says so in their media type; gzip when absent. */
  readonly packing?: 'gzip' | 'zstd' | undefined;
  readonly algorithm?: DigestAlgorithm | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly subject?: Descriptor | undefined;
}

export interface IndexOptions extends Omit<ImageOptions, 'platform' | 'subject'> {
  readonly platforms?: readonly Platform[] | undefined;
  /** Adds an attestation manifest for each image, as buildkit does. */
  readonly attestations?: boolean | undefined;
}

export interface ArtifactOptions {
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  /** Bytes of its one blob; without it the blob is the empty descriptor's. */
  readonly size?: number | undefined;
  readonly seed?: number | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const ARM64: Platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };

const TYPES = {
  oci: {
    index: MEDIA_TYPE.ociIndex,
    manifest: MEDIA_TYPE.ociManifest,
    config: MEDIA_TYPE.ociConfig,
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    index: MEDIA_TYPE.dockerManifestList,
    manifest: MEDIA_TYPE.dockerManifest,
    config: MEDIA_TYPE.dockerConfig,
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

/** Makes an image of one platform: a config with correct diff_ids, and tar.gz layers. */
export function makeImage(options: ImageOptions = {}): TestImageManifest {
  const {
    layers: sizes = [1000, 2000],
    seed = 1,
    platform = AMD64,
    format = 'oci',
    packing = 'gzip',
    algorithm,
    annotations,
    subject,
  } = options;
  const types = TYPES[format];
  const tars = sizes.map((size, index) =>
    tarOf(`file-${index}.bin`, randomBytes(size, seed * 1000 + index)),
  );
  const layers = tars.map((tar) =>
    packing === 'zstd'
      ? nodeOf(types.layer.replace('gzip', 'zstd'), zstdOf(tar), algorithm)
      : nodeOf(types.layer, gzipSync(tar, { level: 1 }), algorithm),
  );
  const config = jsonNode(types.config, configOf(platform, tars), algorithm);
  const manifest = jsonNode(
    types.manifest,
    {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: toDescriptorJson(config.descriptor),
      layers: layers.map((layer) => toDescriptorJson(layer.descriptor)),
      ...(subject && { subject: toDescriptorJson(subject) }),
      ...(annotations && { annotations }),
    },
    algorithm,
  );
  return {
    ...imageOf([...layers, config, manifest]),
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
  };
}

/** Makes an image of several platforms, optionally with the attestations that buildkit writes. */
export function makeIndex(options: IndexOptions = {}): TestImageIndex {
  const {
    platforms = [AMD64, ARM64],
    seed = 1,
    format = 'oci',
    attestations: attested = false,
    annotations,
    ...rest
  } = options;
  const images = platforms.map((platform, index) =>
    makeImage({ ...rest, format, platform, seed: seed + index }),
  );
  const attestations = attested
    ? images.map((image, index) => makeAttestation(image, seed + index))
    : [];
  const index = jsonNode(
    TYPES[format].index,
    {
      schemaVersion: 2,
      mediaType: TYPES[format].index,
      manifests: [
        ...images.map((image, at) => toDescriptorJson({ ...image.root, platform: platforms[at] })),
        ...attestations.map((attestation, at) =>
          toDescriptorJson(attestationEntry(attestation.root, images[at]?.root.digest ?? '')),
        ),
      ],
      ...(annotations && { annotations }),
    },
    options.algorithm,
  );
  return {
    ...imageOf([...images.flatMap(nodesOf), ...attestations.flatMap(nodesOf), index]),
    images,
    attestations,
  };
}

/** Makes a manifest with an artifactType and usually a subject: a signature, an SBOM. */
export function makeArtifact(options: ArtifactOptions = {}): TestImageManifest {
  const {
    artifactType = 'application/vnd.example.sbom',
    subject,
    size,
    seed = 1,
    annotations,
  } = options;
  const empty = nodeOf(MEDIA_TYPE.ociEmpty, Buffer.from('{}'));
  const blob =
    size === undefined ? empty : nodeOf('application/octet-stream', randomBytes(size, seed));
  const manifest = jsonNode(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    artifactType,
    config: toDescriptorJson(empty.descriptor),
    layers: [toDescriptorJson(blob.descriptor)],
    ...(subject && { subject: toDescriptorJson(subject) }),
    ...(annotations && { annotations }),
  });
  return {
    ...imageOf([empty, blob, manifest]),
    config: empty.descriptor,
    layers: [blob.descriptor],
  };
}

/** A node of any bytes. */
export function nodeOf(
  mediaType: string,
  bytes: Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): TestNode {
  return {
    descriptor: { mediaType, digest: digestOf(bytes, algorithm), size: bytes.byteLength },
    bytes: new Uint8Array(bytes),
  };
}

/** A blob of seeded random bytes. */
export function makeBlob(size: number, seed = 1, algorithm: DigestAlgorithm = 'sha256'): TestNode {
  return nodeOf('application/octet-stream', randomBytes(size, seed), algorithm);
}

export function imageOf(list: readonly TestNode[]): TestImage {
  const nodes = new Map(list.map((node) => [node.descriptor.digest, node]));
  const root = list.at(-1)?.descriptor;
  if (root === undefined) throw new Error('An image needs a node');
  return {
    root,
    nodes,
    async pushAll(store, tag, callOptions = {}) {
      for (const { descriptor, bytes } of nodes.values())
        await store.push(descriptor, bytesOf(bytes), callOptions);
      if (tag !== undefined) await store.tag(root, tag, callOptions);
    },
  };
}

export function nodesOf(image: TestImage): readonly TestNode[] {
  return [...image.nodes.values()];
}

function makeAttestation(image: TestImage, seed: number): TestImageManifest {
  const statement = jsonNode('application/vnd.in-toto+json', {
    _type: 'https://in-toto.io/Statement/v0.1',
    seed,
    subject: [{ digest: image.root.digest }],
  });
  const config = jsonNode(
    MEDIA_TYPE.ociConfig,
    configOf({ os: 'unknown', architecture: 'unknown' }, [statement.bytes]),
  );
  const manifest = jsonNode(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: toDescriptorJson(config.descriptor),
    layers: [
      toDescriptorJson({
        ...statement.descriptor,
        annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' },
      }),
    ],
  });
  return {
    ...imageOf([statement, config, manifest]),
    config: config.descriptor,
    layers: [statement.descriptor],
  };
}

function attestationEntry(root: Descriptor, image: string): Descriptor {
  return {
    ...root,
    annotations: {
      'vnd.docker.reference.digest': image,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
    platform: { os: 'unknown', architecture: 'unknown' },
  };
}

function jsonNode(mediaType: string, value: unknown, algorithm?: DigestAlgorithm): TestNode {
  return nodeOf(mediaType, new TextEncoder().encode(JSON.stringify(value)), algorithm);
}

function configOf(platform: Platform, contents: readonly Uint8Array[]): unknown {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant !== undefined && { variant: platform.variant }),
    created: '2024-01-01T00:00:00Z',
    config: { Cmd: ['/bin/sh'], Labels: { 'org.example.test': 'yes' } },
    rootfs: { type: 'layers', diff_ids: contents.map((content) => digestOf(content)) },
    history: contents.map((_, index) => ({
      created: '2024-01-01T00:00:00Z',
      created_by: `COPY file-${index}`,
    })),
  };
}

/**
 * A ustar archive of one file: a header block, the content padded to blocks of 512, two zero
 * blocks.
 */
function tarOf(name: string, content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number): string =>
    `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(name, 0);
  header.write(
    octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(content.byteLength, 12) + octal(0, 12),
    100,
  );
  header.write('        0', 148);
  header.write('ustar\u000000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([
    header,
    content,
    Buffer.alloc((512 - (content.byteLength % 512)) % 512),
    Buffer.alloc(1024),
  ]);
}
