import { gzipSync } from 'node:zlib';

import { bytesOf } from '../../../src/bytes.ts';
import { toDescriptorJson, type Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import type { Store } from '../../../src/store.ts';
import { nodeOf, type TestNode } from './images.ts';
import { buildTar, type TarMember } from './tar-builder.ts';

/** An image whose layers hold the given members. */
export interface LayeredImage {
  readonly root: Descriptor;
  readonly layers: readonly Descriptor[];
  pushTo(store: Store, tag: string): Promise<void>;
}

export interface LayeredOptions {
  /** Members of `config` in the image's config. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  readonly created?: string | undefined;
}

/** The content of a layer: its members, or its compressed bytes. */
export type LayerContent = readonly TarMember[] | Uint8Array;

/** A linux/amd64 image of the layers, from the base up. */
export function makeLayered(
  contents: readonly LayerContent[],
  { config: inner = {}, created = '2024-01-01T00:00:00Z' }: LayeredOptions = {},
): LayeredImage {
  const layers = contents.map(layerNode);
  const config = jsonNode(MEDIA_TYPE.ociConfig, {
    architecture: 'amd64',
    os: 'linux',
    created,
    config: inner,
    rootfs: {
      type: 'layers',
      diff_ids: contents.map((content) =>
        digestOf(content instanceof Uint8Array ? content : buildTar(content)),
      ),
    },
    history: contents.map((_, index) => ({ created_by: `COPY layer-${index} /` })),
  });
  const manifest = jsonNode(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: toDescriptorJson(config.descriptor),
    layers: layers.map(({ descriptor }) => toDescriptorJson(descriptor)),
  });
  return {
    root: manifest.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    async pushTo(store, tag) {
      for (const { descriptor, bytes } of [...layers, config, manifest])
        await store.push(descriptor, bytesOf(bytes));
      await store.tag(manifest.descriptor, tag);
    },
  };
}

/** Shorthands for members of tars. */
export const member = {
  file: (name: string, content = name, more: Partial<TarMember> = {}): TarMember => ({
    name,
    content,
    ...more,
  }),
  folder: (name: string, mode = 0o755): TarMember => ({ name, typeflag: '5', mode }),
  symlink: (name: string, link: string): TarMember => ({ name, typeflag: '2', link, mode: 0o777 }),
  hardlink: (name: string, link: string): TarMember => ({ name, typeflag: '1', link }),
  whiteout: (name: string): TarMember => {
    const slash = name.lastIndexOf('/') + 1;
    return { name: `${name.slice(0, slash)}.wh.${name.slice(slash)}` };
  },
  opaque: (folder: string): TarMember => ({ name: `${folder}/.wh..wh..opq` }),
} as const;

function layerNode(content: LayerContent): TestNode {
  const bytes = content instanceof Uint8Array ? content : gzipSync(buildTar(content), { level: 1 });
  return nodeOf('application/vnd.oci.image.layer.v1.tar+gzip', bytes);
}

function jsonNode(mediaType: string, value: unknown): TestNode {
  return nodeOf(mediaType, new TextEncoder().encode(JSON.stringify(value)));
}
