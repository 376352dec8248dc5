import { bytesOf } from '../../../src/bytes.ts';
import { toDescriptorJson, type Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import type { Store } from '../../../src/store.ts';
import { nodeOf } from './images.ts';

/**
 * An image whose config and manifest have every member that an image can have, some with hostile
 * text. Its layers do not exist.
 */
export interface ShowImage {
  readonly root: Descriptor;
  readonly config: Uint8Array;
  pushTo(store: Store, tag: string): Promise<void>;
}

const MIB = 1024 * 1024;
const LAYER_SIZES = [28 * MIB, 3.5 * MIB, 1200, 0];

export function makeShowImage(): ShowImage {
  const config = nodeOf(MEDIA_TYPE.ociConfig, encode(CONFIG));
  const layers = LAYER_SIZES.map((size, index) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(encode(`layer ${index}`)),
    size,
  }));
  const manifest = nodeOf(
    MEDIA_TYPE.ociManifest,
    encode({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: toDescriptorJson(config.descriptor),
      layers,
      annotations: {
        'org.opencontainers.image.base.name': 'docker.io/library/debian:12-slim',
        'org.opencontainers.image.base.digest': digestOf(encode('base')),
        'org.example.build': '4711',
      },
    }),
  );
  return {
    root: manifest.descriptor,
    config: config.bytes,
    async pushTo(store, tag) {
      for (const { descriptor, bytes } of [config, manifest])
        await store.push(descriptor, bytesOf(bytes));
      await store.tag(manifest.descriptor, tag);
    },
  };
}

const CONFIG = {
  architecture: 'arm64',
  variant: 'v8',
  os: 'linux',
  created: '2025-10-02T10:20:30.123456789Z',
  author: 'Somebody <somebody@example.org>',
  config: {
    User: 'nginx',
    WorkingDir: '/srv/www',
    Env: [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'NGINX_VERSION=1.27.2',
      'EVIL=\u001b[31mred\u202etxt.exe\r\n',
    ],
    Entrypoint: ['/docker-entrypoint.sh'],
    Cmd: ['nginx', '-g', 'daemon off;'],
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/data': {} },
    StopSignal: 'SIGQUIT',
    Labels: {
      maintainer: '山田太郎 and the others of the team',
      'org.example.long': 'x'.repeat(500),
    },
  },
  rootfs: {
    type: 'layers',
    diff_ids: LAYER_SIZES.map((_, index) => digestOf(encode(`tar ${index}`))),
  },
  history: [
    {
      created: '2025-09-01T00:00:00Z',
      created_by: '/bin/sh -c #(nop) ADD file:48ef5f2d4a1e2b0a in / ',
    },
    {
      created: '2025-09-01T00:00:00Z',
      created_by: '/bin/sh -c #(nop)  CMD ["bash"]',
      empty_layer: true,
    },
    {
      created_by:
        'RUN /bin/sh -c set -x \\\n    && groupadd --system --gid 101 nginx \\\n    && useradd --system nginx # buildkit',
      comment: 'buildkit.dockerfile.v0',
    },
    { created_by: '|1 VERSION=2 /bin/sh -c echo $VERSION > /version' },
    { created_by: 'COPY \u009b2J\u202eevil / # buildkit' },
    { created_by: 'EXPOSE map[80/tcp:{}]', empty_layer: true },
  ],
};

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
