import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { randomBytes } from './random-bytes.ts';
import { requireTool } from '../programs/real-tools.ts';
import { runOrThrow } from '../programs/run-program.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/**
 * Images built by buildah in one OCI layout, in the syntax of skopeo and regi (`oci:/folder:tag`).
 */
export interface RealImages {
  /** The layout's folder. */
  readonly layout: string;
  /** One linux/amd64 image of two gzip layers: the root filesystem, and a small one. */
  readonly image: string;
  readonly imageDigest: string;
  /** linux/amd64 (the same image), linux/arm64/v8 and linux/arm/v7, which share the small layer. */
  readonly index: string;
  readonly indexDigest: string;
}

/** Part of the name of the cached images: change it when the images change. */
const VERSION = 1;

interface Recipe {
  readonly name: string;
  readonly arch: string;
  readonly variant?: string;
  /** An image, or `scratch`. */
  readonly from: string;
}

const BASE = 'localhost/base';

const RECIPES: readonly Recipe[] = [
  { name: 'amd64', arch: 'amd64', from: BASE },
  { name: 'arm64', arch: 'arm64', variant: 'v8', from: 'scratch' },
  { name: 'armv7', arch: 'arm', variant: 'v7', from: 'scratch' },
];

/** Makes the digests independent of the time of the build. */
const REPRODUCIBLE = ['--quiet', '--rm', '--timestamp', '0', '--format', 'oci'];

/**
 * Builds images of `$REGI_TEST_ROOTFS`, which .ci/run makes with debootstrap, and keeps them beside
 * it. Without that variable the images hold a small tree, so that the tests still run with real
 * tools; they are kept in the cache of the test's programs, because a build takes seconds. Tests
 * only read them.
 */
export async function realImages(): Promise<RealImages> {
  const rootfs = process.env['REGI_TEST_ROOTFS'] ?? '';
  const folder = rootfs === '' ? CACHE : dirname(rootfs);
  const kept = join(folder, `images-${VERSION}`);
  if (!existsSync(kept)) {
    mkdirSync(folder, { recursive: true });
    const unfinished = mkdtempSync(`${kept}.`);
    const built = await build(rootfs === '' ? smallTree() : rootfs, unfinished);
    try {
      renameSync(built, kept);
    } catch (error) {
      // Another test file built them at the same time, and was first.
      if (!existsSync(kept)) throw error;
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return imagesOf(kept);
}

const CACHE = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'regi-test',
  'small-tree',
);

function imagesOf(layout: string): RealImages {
  return {
    layout,
    image: `oci:${layout}:12`,
    imageDigest: digestOf(layout, '12'),
    index: `oci:${layout}:all`,
    indexDigest: digestOf(layout, 'all'),
  };
}

function digestOf(layout: string, tag: string): string {
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    readonly manifests: readonly {
      readonly digest: string;
      readonly annotations?: Readonly<Record<string, string>>;
    }[];
  };
  const found = manifests.find(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag,
  );
  if (found === undefined) throw new Error(`Cannot find tag "${tag}" in the layout "${layout}"`);
  return found.digest;
}

/** Builds the images into the folder `layout`, and returns it. */
async function build(rootfs: string, layout: string): Promise<string> {
  const run = buildah();
  const app = temporaryFolder('app');
  writeFileSync(join(app, 'hello'), 'hello\n');
  const parts = temporaryFolder('parts');

  const base = await run('from', 'scratch');
  await run('add', '--quiet', base, rootfs, '/');
  await run('commit', ...REPRODUCIBLE, base, BASE);

  await run('manifest', 'create', 'localhost/all');
  for (const recipe of RECIPES) {
    const image = await addApp(run, recipe, app);
    // Compressed only once: the index reuses these bytes, so that its first image is the single
    // image.
    await run('push', '--quiet', image, `oci:${parts}:${recipe.name}`);
    await run('manifest', 'add', 'localhost/all', `oci:${parts}:${recipe.name}`);
  }
  await run('manifest', 'push', '--quiet', '--all', 'localhost/all', `oci:${layout}:all`);
  await runOrThrow(
    requireTool('skopeo'),
    ['copy', '--quiet', `oci:${parts}:amd64`, `oci:${layout}:12`],
    { env: environment() },
  );
  return layout;
}

/** Adds a layer and returns the name of the image. */
async function addApp(
  run: Buildah,
  { name, arch, variant, from }: Recipe,
  app: string,
): Promise<string> {
  const image = `localhost/${name}`;
  const working = await run('from', '--pull-never', from);
  await run('copy', '--quiet', working, app, '/opt/app');
  await run(
    'config',
    '--os',
    'linux',
    '--arch',
    arch,
    ...(variant === undefined ? [] : ['--variant', variant]),
    '--cmd',
    '/bin/sh',
    working,
  );
  await run('commit', ...REPRODUCIBLE, working, image);
  return image;
}

type Buildah = (...args: readonly string[]) => Promise<string>;

/** buildah with its own storage, without the configuration of this machine. */
function buildah(): Buildah {
  const folder = temporaryFolder('buildah');
  const storage = [
    '--storage-driver',
    'vfs',
    '--root',
    join(folder, 'root'),
    '--runroot',
    join(folder, 'runroot'),
  ];
  const env = { ...environment(), BUILDAH_ISOLATION: 'chroot' };
  return async (...args) =>
    (await runOrThrow(requireTool('buildah'), [...storage, ...args], { env })).trim();
}

function environment(): Readonly<Record<string, string>> {
  const home = temporaryFolder('home');
  // Images are unsigned here, and a machine without a policy refuses them.
  mkdirSync(join(home, '.config', 'containers'), { recursive: true });
  writeFileSync(
    join(home, '.config', 'containers', 'policy.json'),
    '{"default":[{"type":"insecureAcceptAnything"}]}',
  );
  return { PATH: process.env['PATH'] ?? '', HOME: home, XDG_RUNTIME_DIR: home, TMPDIR: home };
}

/** Writes some megabytes that gzip cannot compress, and some text that it can. */
function smallTree(): string {
  const folder = temporaryFolder('tree');
  mkdirSync(join(folder, 'usr', 'share'), { recursive: true });
  writeFileSync(join(folder, 'usr', 'share', 'data'), randomBytes(8 * 1024 * 1024, 1));
  for (const name of ['one', 'two', 'three'])
    writeFileSync(join(folder, 'usr', 'share', name), `${name}\n`.repeat(10_000));
  return folder;
}
