import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { DockerRegistry } from '../support/registries/docker-registry.ts';
import type { Client, Endpoint, Task } from './clients.ts';
import type { CorpusName } from './corpus.ts';
import type { LinkKind, RegistryKind, Servers } from './servers.ts';

/** What every client is made to do in turn. */
export interface Workload {
  readonly id: string;
  readonly title: string;
  /** As a person reads it. */
  readonly aim: string;
  /**
   * Seconds that regi may take; told the medians of the others by name. Undefined when it cannot be
   * said here.
   */
  readonly limit: (walls: ReadonlyMap<string, number>) => number | undefined;
  readonly plan: () => Promise<Plan>;
  /** Requests that regi may make. */
  readonly mostRequests?: number | undefined;
  /** Runs for each one that others make: start-up is short and noisy. */
  readonly repeat?: number | undefined;
  /** What it needs that is not there yet, or not asked for. */
  readonly missing?: string | undefined;
}

/** Made when the workload's turn comes. */
export interface Plan {
  /** The task of every client. */
  readonly task?: Task | undefined;
  /** Contestants that are no clients of registries, or that do another task. */
  readonly others?:
    | readonly { readonly name: string; readonly argv: readonly string[] }[]
    | undefined;
  /** A file that each run has to bring to the disk. */
  readonly synced?: string | undefined;
  /** Who is judged, where it is not regi. */
  readonly subject?: string | undefined;
  /** Before each run. Not measured. */
  readonly prepare?: ((client: string) => Promise<void>) | undefined;
  /** Count their requests. */
  readonly registries?: readonly DockerRegistry[] | undefined;
}

export interface WorkloadOptions {
  readonly servers: Servers;
  readonly regi: Client;
  /** For what clients write to disk. */
  readonly folder: string;
  readonly isLarge: boolean;
}

/** All workloads, in the order of their numbers. */
export function workloads({
  servers,
  regi,
  folder,
  isLarge,
}: WorkloadOptions): readonly Workload[] {
  const copy = (
    corpus: CorpusName,
    link: LinkKind = 'loopback',
    kind: Omit<RegistryKind, 'side'> = {},
  ) => copyPlan(servers, corpus, link, kind);

  return [
    {
      id: 'P1',
      title: '1 GiB in 8 layers',
      aim: '≤ 1.0 × the fastest',
      limit: fastest(1),
      plan: () => copy('eight'),
    },
    {
      id: 'P1t',
      title: 'the same over TLS',
      aim: '≤ 1.0 × the fastest',
      limit: fastest(1),
      plan: () => copy('eight', 'loopback', { tls: true }),
    },
    {
      id: 'P1r',
      title: 'the same at 40 ms and 1 Gbit/s',
      aim: '≤ 1.0 × the fastest',
      limit: fastest(1),
      plan: () => copy('eight', 'gigabit'),
    },
    {
      id: 'P2',
      title: 'one layer of 1 GiB',
      aim: '≤ 1.0 × the fastest',
      limit: fastest(1),
      plan: () => copy('one'),
    },
    {
      id: 'P3',
      title: '20 layers of 200 KiB at 40 ms',
      aim: '≤ 0.4 × the fastest',
      limit: fastest(0.4),
      plan: () => copy('small', 'far'),
    },
    {
      id: 'P3t',
      title: 'the same over TLS',
      aim: '≤ 0.5 × the fastest',
      limit: fastest(0.5),
      plan: () => copy('small', 'far', { tls: true }),
    },
    {
      id: 'P4',
      title: '50 tags with shared layers at 40 ms',
      aim: '≤ 0.6 × the fastest',
      limit: fastest(0.6),
      plan: () => copyTags(servers, false),
    },
    {
      id: 'P4t',
      title: 'the same over TLS',
      aim: '≤ 0.6 × the fastest',
      limit: fastest(0.6),
      plan: () => copyTags(servers, false, { tls: true }),
    },
    {
      id: 'P4again',
      title: 'P4 again, nothing to do',
      aim: '≤ 0.5 × the fastest',
      limit: fastest(0.5),
      plan: () => copyTags(servers, true),
    },
    {
      id: 'S1',
      title: 'sync 50 tags at 40 ms',
      aim: '≤ 0.6 × the fastest',
      limit: fastest(0.6),
      plan: () => syncTags(servers, false),
    },
    {
      id: 'S1again',
      title: '… again',
      aim: '≤ 0.5 × the fastest, ≤ 102 requests',
      limit: fastest(0.5),
      mostRequests: 2 * (50 + 1),
      plan: () => syncTags(servers, true),
    },
    {
      id: 'S2again',
      title: 'sync 200 repositories of 20 tags again',
      aim: '≤ 0.5 × the fastest, ≤ 8,400 requests',
      limit: fastest(0.5),
      mostRequests: 2 * 200 * (20 + 1),
      plan: () => syncMany(servers),
    },
    {
      id: 'S3',
      title: 'sync 100 repositories that share base layers',
      aim: '≤ 0.6 × the fastest',
      limit: fastest(0.6),
      plan: () => syncBase(servers),
    },
    {
      id: 'P5',
      title: 'export 1 GiB to a tar, and sync it',
      aim: '≤ 0.9 × the fastest',
      limit: fastest(0.9),
      plan: () => exportPlan(servers, 'loopback'),
    },
    {
      id: 'P5r',
      title: 'the same at 40 ms',
      aim: '≤ 0.7 × the fastest',
      limit: fastest(0.7),
      plan: () => exportPlan(servers, 'far'),
    },
    {
      id: 'P6',
      title: 'import that tar',
      aim: '≤ 0.9 × the fastest',
      limit: fastest(0.9),
      plan: () => importPlan(servers, regi),
    },
    {
      id: 'P7v',
      title: '--version',
      aim: '≤ 1.15 × `node -e 0`',
      limit: times(1.15, NODE),
      plan: async () => startUp({ kind: 'version' }),
      repeat: 4,
    },
    {
      id: 'P7d',
      title: 'digest on loopback',
      aim: '≤ 3.0 × `node -e 0`',
      limit: times(3, NODE),
      plan: () => digestPlan(servers),
      repeat: 4,
    },
    {
      id: 'P7t',
      title: 'digest over TLS',
      aim: '≤ 4.0 × `node -e 0`',
      limit: times(4, NODE),
      plan: () => digestPlan(servers, { tls: true }),
      repeat: 4,
    },
    {
      id: 'P8',
      title: 'peak memory, a layer of 1 GiB',
      aim: '≤ 100 MB',
      limit: () => undefined,
      plan: () => copy('one'),
    },
    {
      id: 'P8t',
      title: 'the same over TLS',
      aim: '≤ 100 MB',
      limit: () => undefined,
      plan: () => copy('one', 'loopback', { tls: true }),
    },
    {
      id: 'P8x',
      title: 'peak memory, a layer of 10 GiB',
      aim: '≤ 100 MB, as with 1 GiB',
      limit: () => undefined,
      plan: () => copy('large', 'loopback', { onDisk: true }),
      missing: isLarge ? undefined : 'left out: give --large',
    },
    {
      id: 'P9',
      title: 'tags list of 10,000',
      aim: '≤ 1.2 × `regi digest`',
      limit: times(1.2, DIGEST),
      plan: () => listPlan(servers, regi),
      repeat: 2,
    },
    {
      id: 'P9p',
      title: '… in pages of 1,000 at 40 ms',
      aim: '≤ 1.1 × the fastest',
      limit: fastest(1.1),
      plan: () => pagedPlan(servers),
    },
    {
      id: 'P10',
      title: 'pull 1 GiB from regi serve',
      aim: '≥ docker-registry',
      limit: times(1, FROM_DOCKER_REGISTRY),
      plan: () => servePlan(servers, folder),
    },
  ];
}

/** Contestants by which others are judged. */
const NODE = 'node -e 0';
const DIGEST = 'regi digest';
const FROM_DOCKER_REGISTRY = 'curl from docker-registry';

function fastest(factor: number): Workload['limit'] {
  return (walls) => (walls.size === 0 ? undefined : Math.min(...walls.values()) * factor);
}

function times(factor: number, name: string): Workload['limit'] {
  return (walls) => {
    const wall = walls.get(name);
    return wall === undefined ? undefined : wall * factor;
  };
}

async function copyPlan(
  servers: Servers,
  corpus: CorpusName,
  link: LinkKind,
  kind: Omit<RegistryKind, 'side'>,
): Promise<Plan> {
  const source = await servers.push(corpus, { side: 'source', ...kind });
  const destination = await servers.registry({ side: 'destination', ...kind });
  const endpoint = reachedBy(servers, link, kind);
  return {
    task: {
      kind: 'copy',
      from: await endpoint(source),
      to: await endpoint(destination),
      image: `${corpus}:1`,
    },
    prepare: () => servers.empty(destination),
    registries: [source, destination],
  };
}

/** Makes a registry an endpoint that clients reach over a line. */
function reachedBy(
  servers: Servers,
  link: LinkKind,
  { tls = false }: Omit<RegistryKind, 'side'>,
): (registry: DockerRegistry) => Promise<Endpoint> {
  return async ({ host }) => ({
    host: await servers.reach(host, link),
    trust: tls ? await servers.certificates() : undefined,
  });
}

async function exportPlan(servers: Servers, link: LinkKind): Promise<Plan> {
  const source = await servers.push('eight', { side: 'source' });
  const file = join(servers.disk, 'exported.tar');
  return {
    task: {
      kind: 'export',
      at: { host: await servers.reach(source.host, link) },
      image: 'eight:1',
      file,
    },
    synced: file,
    prepare: async () => rmSync(file, { force: true }),
    registries: [source],
  };
}

async function importPlan(servers: Servers, regi: Client): Promise<Plan> {
  const [source, destination] = await Promise.all([
    servers.push('eight', { side: 'source' }),
    servers.registry({ side: 'destination' }),
  ]);
  const file = join(servers.disk, 'imported.tar');
  const [, ...args] =
    regi.argv({ kind: 'export', at: { host: source.host }, image: 'eight:1', file }, '') ?? [];
  await servers.regi(args.slice(1));
  return {
    task: { kind: 'import', file, at: { host: destination.host }, image: 'eight:1' },
    prepare: () => servers.empty(destination),
    registries: [destination],
  };
}

async function copyTags(
  servers: Servers,
  again: boolean,
  kind: Omit<RegistryKind, 'side'> = {},
): Promise<Plan> {
  const source = await servers.push('many', { side: 'source', ...kind });
  const destination = await (again
    ? servers.push('many', { side: 'destination', ...kind })
    : servers.registry({ side: 'destination', ...kind }));
  const endpoint = reachedBy(servers, 'far', kind);
  return {
    task: {
      kind: 'copy-tags',
      from: await endpoint(source),
      to: await endpoint(destination),
      repository: 'many',
    },
    prepare: async () => (again ? undefined : servers.empty(destination)),
    registries: [source, destination],
  };
}

async function syncTags(servers: Servers, again: boolean): Promise<Plan> {
  const plan = await copyTags(servers, again);
  const { task } = plan;
  if (task?.kind !== 'copy-tags') throw new Error('All tags of a repository are copied');
  const { from, to, repository } = task;
  return { ...plan, task: { kind: 'sync', from, to, repositories: [repository] } };
}

async function syncMany(servers: Servers): Promise<Plan> {
  const [source, destination] = await Promise.all([
    servers.pushMany('twenty', 200, { side: 'source' }),
    servers.pushMany('twenty', 200, { side: 'destination' }),
  ]);
  return {
    task: syncTask(source, destination, 'twenty', 200),
    registries: [source, destination],
  };
}

async function syncBase(servers: Servers): Promise<Plan> {
  const source = await servers.pushApart('base', 100, { side: 'source' });
  const destination = await servers.registry({ side: 'destination' });
  return {
    task: syncTask(source, destination, 'base', 100),
    prepare: () => servers.empty(destination),
    registries: [source, destination],
  };
}

function syncTask(
  from: DockerRegistry,
  to: DockerRegistry,
  corpus: CorpusName,
  count: number,
): Task {
  const repositories = Array.from({ length: count }, (_, at) => `${corpus}-${at}`);
  return { kind: 'sync', from: { host: from.host }, to: { host: to.host }, repositories };
}

function startUp(task: Task): Plan {
  return { task, others: [{ name: NODE, argv: [process.execPath, '-e', '0'] }] };
}

async function digestPlan(servers: Servers, kind: Omit<RegistryKind, 'side'> = {}): Promise<Plan> {
  const source = await servers.push('small', { side: 'source', ...kind });
  const at = await reachedBy(servers, 'loopback', kind)(source);
  return startUp({ kind: 'digest', at, image: 'small:1' });
}

async function listPlan(servers: Servers, regi: Client): Promise<Plan> {
  const source = await servers.push('tags', { side: 'source' });
  const at = { host: source.host };
  const digest = regi.argv({ kind: 'digest', at, image: 'tags:v0' }, '') ?? [];
  return {
    task: { kind: 'list', at, repository: 'tags' },
    others: [{ name: DIGEST, argv: digest }],
    registries: [source],
  };
}

async function pagedPlan(servers: Servers): Promise<Plan> {
  const host = await servers.pages(10_000, 1000);
  return {
    task: { kind: 'list', at: { host: await servers.reach(host, 'far') }, repository: 'tags' },
  };
}

async function servePlan(servers: Servers, folder: string): Promise<Plan> {
  const [source, served] = await Promise.all([
    servers.push('eight', { side: 'source' }),
    servers.serve('eight'),
  ]);
  const repository = `corpus-1-eight`;
  const blobs = layerDigests(await servers.layout('eight'));
  const curl = (base: string) => [
    'curl',
    '-sSf',
    '-Z',
    '--parallel-max',
    '8',
    ...blobs.flatMap((digest) => ['-o', '/dev/null', `${base}/blobs/${digest}`]),
  ];
  const target = join(folder, 'pulled');
  const pull = (host: string, image: string) => [
    'skopeo',
    '--insecure-policy',
    'copy',
    '-q',
    '--src-tls-verify=false',
    `docker://${host}/${image}`,
    `oci:${target}:1`,
  ];
  return {
    subject: 'curl from regi serve',
    others: [
      { name: 'curl from regi serve', argv: curl(`http://${served}/v2/${repository}`) },
      { name: FROM_DOCKER_REGISTRY, argv: curl(`http://${source.host}/v2/eight`) },
      { name: 'skopeo from regi serve', argv: pull(served, `${repository}:1`) },
      { name: 'skopeo from docker-registry', argv: pull(source.host, 'eight:1') },
    ],
    prepare: async () => rmSync(target, { recursive: true, force: true }),
  };
}

/** Of the first image of a layout. */
function layerDigests(layout: string): readonly string[] {
  const read = (path: string): unknown => JSON.parse(readFileSync(join(layout, path), 'utf8'));
  const index = read('index.json') as {
    readonly manifests: readonly { readonly digest: string }[];
  };
  const manifest = read(`blobs/sha256/${index.manifests[0]?.digest.slice('sha256:'.length)}`) as {
    readonly layers: readonly { readonly digest: string }[];
  };
  return manifest.layers.map(({ digest }) => digest);
}
