import { createCipheriv, createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

interface LayerPlan {
  readonly seed: number;
  readonly size: number;
}

/** Images by tag, each the layers it has; layers of one seed are one blob. */
type CorpusPlan = Readonly<Record<string, readonly LayerPlan[]>>;

/**
 * What the workloads move. Random bytes, the same in every run: no link compresses them, and no
 * cache knows parts of them.
 */
const PLANS = {
  /** 1 GiB in 8 layers. */
  eight: { '1': layers(8, 128 * MIB, 100) },
  /** 1 GiB in one layer. */
  one: { '1': layers(1, 1024 * MIB, 200) },
  /** 20 layers of 200 KiB. */
  small: { '1': layers(20, 200 * KIB, 300) },
  /** 50 tags: 5 layers of 2 MiB that all share, and one of 100 KiB of each. */
  many: Object.fromEntries(
    Array.from({ length: 50 }, (_, tag) => [
      `t${tag}`,
      [...layers(5, 2 * MIB, 400), ...layers(1, 100 * KIB, 500 + tag)],
    ]),
  ),
  /** 100 images over the same 4 layers of 1 MiB, each with one of 50 KiB of its own. */
  base: Object.fromEntries(
    Array.from({ length: 100 }, (_, tag) => [
      `t${tag}`,
      [...layers(4, MIB, 800), ...layers(1, 50 * KIB, 900 + tag)],
    ]),
  ),
  /** 20 small images. */
  twenty: Object.fromEntries(
    Array.from({ length: 20 }, (_, tag) => [`t${tag}`, layers(1, KIB, 1100 + tag)]),
  ),
  /** One manifest under 10,000 tags. */
  tags: Object.fromEntries(
    Array.from({ length: 10_000 }, (_, tag) => [`v${tag}`, layers(1, KIB, 600)]),
  ),
  /** 10 GiB in one layer. */
  large: { '1': layers(1, 10 * 1024 * MIB, 700) },
} as const satisfies Record<string, CorpusPlan>;

export type CorpusName = keyof typeof PLANS;

/**
 * Makes the layout of a corpus below `folder`, unless an earlier run left it there, and gives its
 * path.
 */
export async function corpusLayout(name: CorpusName, folder: string): Promise<string> {
  const layout = join(folder, `corpus-1-${name}`);
  if (existsSync(layout)) return layout;
  const unfinished = `${layout}.tmp`;
  rmSync(unfinished, { recursive: true, force: true });
  await writeCorpus(PLANS[name], unfinished);
  renameSync(unfinished, layout);
  return layout;
}

function layers(count: number, size: number, seed: number): readonly LayerPlan[] {
  return Array.from({ length: count }, (_, index) => ({ seed: seed + index, size }));
}

async function writeCorpus(plan: CorpusPlan, folder: string): Promise<void> {
  const blobs = join(folder, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const written = new Map<number, string>();
  const keep = (mediaType: string, value: unknown) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const manifests = [];
  for (const [tag, planned] of Object.entries(plan)) {
    const found = [];
    for (const { seed, size } of planned) {
      const digest = written.get(seed) ?? (await writeLayer(blobs, seed, size));
      written.set(seed, digest);
      found.push({ mediaType: LAYER_TYPE, digest, size });
    }
    const config = keep(MEDIA_TYPE.ociConfig, {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: found.map(({ digest }) => digest) },
    });
    const manifest = keep(MEDIA_TYPE.ociManifest, {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config,
      layers: found,
    });
    manifests.push({ ...manifest, annotations: { 'org.opencontainers.image.ref.name': tag } });
  }
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }),
  );
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

/**
 * Named as gzip, which it is not: a client that would compress a plain tar on the way does
 * something else than the others.
 */
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

async function writeLayer(blobs: string, seed: number, size: number): Promise<string> {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  const random = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(4 * MIB);
  const hash = createHash('sha256');
  const path = join(blobs, `layer-${seed}`);
  const file = await open(path, 'w');
  try {
    for (let written = 0; written < size; written += zeros.byteLength) {
      const chunk = random.update(zeros.subarray(0, Math.min(zeros.byteLength, size - written)));
      hash.update(chunk);
      await file.write(chunk);
    }
  } finally {
    await file.close();
  }
  const hex = hash.digest('hex');
  renameSync(path, join(blobs, hex));
  return `sha256:${hex}`;
}
