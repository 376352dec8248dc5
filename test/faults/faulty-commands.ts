import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { collect } from '../../src/bytes.ts';
import type { Store } from '../../src/store.ts';
import { openArchive } from '../../src/stores/archive/archive.ts';
import type { FakeRegistry } from '../support/registries/fake-registry.ts';
import type { TestImage, TestImageIndex } from '../support/images/images.ts';
import { damagedBlobs, leftovers, readIndexJson } from '../support/images/layout-folder.ts';
import type { Target } from './fault-kinds.ts';

/** The surroundings of one command. */
export interface Scene {
  readonly image: TestImageIndex;
  /** Has the image as `app:v1`; read only. */
  readonly source: FakeRegistry;
  /** Has no repository `name`. */
  readonly destination: FakeRegistry;
  /** A layout with the image as `v1`. */
  readonly layout: string;
  /** An archive of the image. */
  readonly archive: string;
  /** The working folder of the command: empty. */
  readonly folder: string;
  /** Repository of the destination. */
  readonly name: string;
}

/** A command that faults strike. */
export interface FaultyCommand {
  readonly name: string;
  /** Its requests to the source and to the destination, where a fault may strike. */
  readonly asks: { readonly source?: readonly Target[]; readonly destination?: readonly Target[] };
  readonly argv: (scene: Scene) => readonly string[];
  /** Lists flaws in the result of a command that succeeded. */
  readonly flaws: (scene: Scene, stdout: string) => Promise<readonly string[]>;
  /** Lists visible results of a command that failed. */
  readonly remains: (scene: Scene, stdout: string) => Promise<readonly string[]>;
}

const READS: readonly Target[] = ['find', 'read-manifest', 'read-blob'];
const WRITES: readonly Target[] = ['find', 'start-upload', 'upload', 'write-manifest'];

const from = ({ source }: Scene): string => `${source.host}/app:v1`;
const to = ({ destination, name }: Scene): string => `${destination.host}/${name}:v1`;

const INTO_REGISTRY = {
  flaws: async ({ destination, name, image }: Scene, stdout: string) => [
    ...(stdout.includes(image.root.digest) ? [] : [`standard output is ${JSON.stringify(stdout)}`]),
    ...(await flawsOf(destination.place.open(name), 'v1', image)),
  ],
  remains: async ({ destination, name }: Scene, stdout: string) => [
    ...printed(stdout),
    ...((await hasTag(destination.place.open(name), 'v1')) ? ['the tag is there'] : []),
  ],
};

export const FAULTY_COMMANDS: readonly FaultyCommand[] = [
  {
    name: 'copy',
    asks: { source: READS, destination: WRITES },
    argv: (scene) => ['copy', from(scene), to(scene)],
    ...INTO_REGISTRY,
  },
  {
    name: 'copy --chunk-size',
    asks: { destination: WRITES },
    argv: (scene) => ['copy', '--chunk-size', '50000', from(scene), to(scene)],
    ...INTO_REGISTRY,
  },
  {
    name: 'copy --all-tags',
    asks: { source: ['read-list'] },
    argv: ({ source, destination, name }) => [
      'copy',
      '--all-tags',
      `${source.host}/app`,
      `${destination.host}/${name}`,
    ],
    ...INTO_REGISTRY,
  },
  {
    name: 'copy --referrers',
    asks: { source: ['read-referrers'] },
    argv: (scene) => ['copy', '--referrers', from(scene), to(scene)],
    ...INTO_REGISTRY,
    flaws: async (scene, stdout) => [
      ...(await INTO_REGISTRY.flaws(scene, stdout)),
      ...repeatedQuestions(scene),
    ],
  },
  {
    name: 'push',
    asks: { destination: WRITES },
    argv: (scene) => ['push', scene.layout, to(scene)],
    ...INTO_REGISTRY,
  },
  {
    name: 'import',
    asks: { destination: WRITES },
    argv: ({ archive, destination, name }) => [
      'import',
      archive,
      '--map',
      `app=${destination.host}/${name}`,
    ],
    ...INTO_REGISTRY,
  },
  {
    name: 'pull',
    asks: { source: READS },
    argv: (scene) => ['pull', from(scene), '-o', 'out/'],
    flaws: async ({ folder, image }) => flawsOfLayout(join(folder, 'out'), image.images[0]),
    remains: async ({ folder }, stdout) => [
      ...printed(stdout),
      ...(await remainsOfLayout(join(folder, 'out'))),
    ],
  },
  {
    name: 'copy oci:',
    asks: { source: READS },
    argv: (scene) => ['copy', from(scene), 'oci:out:v1'],
    flaws: async ({ folder, image }) => flawsOfLayout(join(folder, 'out'), image),
    remains: async ({ folder }, stdout) => [
      ...printed(stdout),
      ...(await remainsOfLayout(join(folder, 'out'))),
    ],
  },
  {
    name: 'export',
    asks: { source: READS },
    argv: (scene) => ['export', from(scene), '-o', 'out.tar'],
    flaws: async ({ folder, image }) => flawsOfArchive(join(folder, 'out.tar'), image),
    remains: async ({ folder }, stdout) => [
      ...printed(stdout),
      ...(existsSync(join(folder, 'out.tar')) ? ['the archive is there'] : []),
    ],
  },
  {
    name: 'export --referrers',
    asks: { source: ['read-referrers'] },
    argv: (scene) => ['export', '--referrers', from(scene), '-o', 'out.tar'],
    flaws: async (scene) => [
      ...(await flawsOfArchive(join(scene.folder, 'out.tar'), scene.image)),
      ...repeatedQuestions(scene),
    ],
    remains: async ({ folder }) =>
      existsSync(join(folder, 'out.tar')) ? ['the archive is there'] : [],
  },
  {
    name: 'inspect',
    asks: { source: READS },
    argv: (scene) => ['inspect', from(scene), '--json'],
    flaws: async ({ image }, stdout) => (stdout.includes(image.root.digest) ? [] : ['no digest']),
    remains: async (_, stdout) => printed(stdout),
  },
  {
    name: 'verify',
    asks: { source: READS },
    argv: (scene) => ['verify', from(scene)],
    flaws: async () => [],
    remains: async () => [],
  },
  {
    name: 'digest',
    asks: { source: ['find'] },
    argv: (scene) => ['digest', from(scene)],
    flaws: async ({ image }, stdout) =>
      stdout === `${image.root.digest}\n` ? [] : [`standard output is ${JSON.stringify(stdout)}`],
    remains: async (_, stdout) => printed(stdout),
  },
  {
    name: 'manifest get',
    asks: { source: ['read-manifest'] },
    argv: (scene) => ['manifest', 'get', from(scene)],
    flaws: async ({ image }, stdout) =>
      stdout === Buffer.from(image.nodes.get(image.root.digest)?.bytes ?? []).toString()
        ? []
        : ['other bytes'],
    remains: async (_, stdout) => printed(stdout),
  },
  {
    name: 'tags list',
    asks: { source: ['read-list'] },
    argv: ({ source }) => ['tags', 'list', `${source.host}/app`],
    flaws: async (_, stdout) =>
      stdout === 'v1\n' ? [] : [`standard output is ${JSON.stringify(stdout)}`],
    // A list that breaks off is a part, and the status says so.
    remains: async (_, stdout) => (stdout === 'v1\n' ? [] : printed(stdout)),
  },
  {
    name: 'repos list',
    asks: { source: ['read-list'] },
    argv: ({ source }) => ['repos', 'list', source.host],
    flaws: async (_, stdout) =>
      stdout === 'app\n' ? [] : [`standard output is ${JSON.stringify(stdout)}`],
    remains: async (_, stdout) => (stdout === 'app\n' ? [] : printed(stdout)),
  },
];

/** A registry with the same referrers for all is asked once for each manifest. */
function repeatedQuestions({ source, image }: Scene): readonly string[] {
  const asked = source.requests.filter(({ kind }) => kind === 'referrers').length;
  return asked <= image.nodes.size ? [] : [`${asked} questions for referrers`];
}

function printed(stdout: string): readonly string[] {
  return stdout === '' ? [] : [`standard output is ${JSON.stringify(stdout.slice(0, 100))}`];
}

/**
 * Reads every node of an image and compares its bytes, without trusting the verification of regi.
 */
async function flawsOf(store: Store, tag: string, image: TestImage): Promise<readonly string[]> {
  if (!(await hasTag(store, tag))) return ['the tag is missing'];
  const root = await store.resolve(tag);
  if (root.digest !== image.root.digest) return [`the tag names ${root.digest}`];
  const flaws: string[] = [];
  for (const { descriptor, bytes } of image.nodes.values()) {
    const found = (await store.exists(descriptor))
      ? await collect(store.fetch(descriptor), bytes.byteLength + 1, descriptor.digest)
      : undefined;
    if (found === undefined) flaws.push(`${descriptor.digest} is missing`);
    else if (Buffer.compare(found, bytes) !== 0) flaws.push(`${descriptor.digest} has other bytes`);
  }
  return flaws;
}

async function hasTag(store: Store, tag: string): Promise<boolean> {
  return store.resolve(tag).then(
    () => true,
    () => false,
  );
}

async function flawsOfLayout(
  folder: string,
  image: TestImage | undefined,
): Promise<readonly string[]> {
  if (!existsSync(join(folder, 'index.json'))) return ['there is no index.json'];
  const named = readIndexJson(folder).manifests.map(({ digest }) => digest);
  const damaged = damagedBlobs(folder);
  const missing = [...(image?.nodes.values() ?? [])].filter(
    ({ descriptor }) => !existsSync(join(folder, 'blobs', 'sha256', descriptor.digest.slice(7))),
  );
  return [
    ...(named.length === 1 && named[0] === image?.root.digest
      ? []
      : [`index.json names ${named.join(', ')}`]),
    ...damaged.map((name) => `${name} has other bytes`),
    ...missing.map(({ descriptor }) => `${descriptor.digest} is missing`),
    ...leftovers(folder).map((name) => `${name} is left`),
  ];
}

/** Ignores whole blobs and partial files of large ones, which the next run resumes. */
async function remainsOfLayout(folder: string): Promise<readonly string[]> {
  if (!existsSync(folder)) return [];
  const named = existsSync(join(folder, 'index.json')) ? readIndexJson(folder).manifests : [];
  return [
    ...named.map(({ digest }) => `index.json names ${digest}`),
    ...damagedBlobs(folder).map((name) => `${name} has other bytes`),
    ...leftovers(folder)
      .filter((name) => !name.includes('.regi-part.'))
      .map((name) => `${name} is left`),
  ];
}

async function flawsOfArchive(path: string, image: TestImage): Promise<readonly string[]> {
  if (!existsSync(path)) return ['there is no archive'];
  const archive = await openArchive(path, { tempFolder: tmpdir() });
  try {
    const repositories: string[] = [];
    for await (const name of archive.repositories()) repositories.push(name);
    return repositories.length === 1
      ? await flawsOf(archive.open(repositories[0] ?? ''), 'v1', image)
      : [`the archive has ${repositories.join(', ')}`];
  } finally {
    await archive.close();
  }
}
