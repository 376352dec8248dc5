import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';

import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { randomBytes } from './random-bytes.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface LargeLayout {
  /** `oci:/folder:big` */
  readonly image: string;
  readonly digest: string;
}

/**
 * Writes a layout with one image of one layer of `size` bytes, for tests of memory and of
 * interruption. The layer repeats one random MiB: it is made fast, and no link of the test
 * compresses it.
 */
export async function largeLayout(size: number): Promise<LargeLayout> {
  const folder = temporaryFolder('large');
  const blobs = join(folder, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const layer = await writeLayer(join(blobs, 'layer'), size);
  renameSync(join(blobs, 'layer'), join(blobs, layer.slice('sha256:'.length)));
  const keep = (mediaType: string, value: unknown) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const config = keep(MEDIA_TYPE.ociConfig, {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [layer] },
  });
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size }];
  const manifest = keep(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config,
    layers,
  });
  const entry = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'big' } };
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
  );
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return { image: `oci:${folder}:big`, digest: manifest.digest };
}

async function writeLayer(path: string, size: number): Promise<string> {
  const piece = randomBytes(1024 * 1024, 7);
  const hash = createHash('sha256');
  const file = createWriteStream(path);
  for (let written = 0; written < size; written += piece.byteLength) {
    const chunk = piece.subarray(0, size - written);
    hash.update(chunk);
    if (!file.write(chunk)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return `sha256:${hash.digest('hex')}`;
}
