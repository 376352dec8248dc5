import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { temporaryFolder } from '../temporary-folder.ts';

/**
 * An OCI layout with one image of one small layer, as skopeo names it: `oci:/folder:1`. The same
 * bytes each time for the same `text`.
 */
export function tinyLayout(text = 'hello'): string {
  const folder = temporaryFolder('layout');
  const blobs = join(folder, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const add = (mediaType: string, content: Buffer): object => {
    const hex = createHash('sha256').update(content).digest('hex');
    writeFileSync(join(blobs, hex), content);
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${hex}`,
      size: content.byteLength,
    };
  };
  const addJson = (mediaType: string, value: object): object =>
    add(mediaType, Buffer.from(JSON.stringify(value)));

  const tar = tarOf('hello.txt', text);
  const layer = add('layer.v1.tar+gzip', gzipSync(tar));
  const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const config = addJson('config.v1+json', {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = addJson('manifest.v1+json', {
    schemaVersion: 2,
    mediaType,
    config,
    layers: [layer],
  });
  const annotations = { 'org.opencontainers.image.ref.name': '1' };
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return `oci:${folder}:1`;
}

/** One regular file as ustar, with its two empty blocks at the end. */
function tarOf(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0' + '0000000\0'.repeat(2), 100);
  header.write(`${content.byteLength.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 124);
  header.write('        0', 148);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([
    header,
    content,
    Buffer.alloc(1024 + ((512 - (content.byteLength % 512)) % 512)),
  ]);
}
