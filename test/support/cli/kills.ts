import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { openLayoutPlace } from '../../../src/stores/layout/place.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { startDockerRegistry } from '../registries/docker-registry.ts';
import { startFakeRegistry } from '../registries/fake-registry.ts';
import { makeImage, type TestImageManifest } from '../images/images.ts';
import { leftovers } from '../images/layout-folder.ts';
import { realClock } from '../clock.ts';
import { runRegi, spawnRegi } from './regi.ts';
import { runMain } from './run-main.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { startThrottleProxy, type ThrottleProxy } from '../http/throttle-proxy.ts';

const MIB = 1024 * 1024;
/** Rate of each connection: slow enough for a kill in the middle of a transfer. */
const LINK = { bytesPerSecond: 12 * MIB };

/** The surroundings of a killed command, with everything that it may resume from. */
interface Scene {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly home: string;
  /** Counts the bytes of the image's content. */
  readonly link: ThrottleProxy;
  readonly direction: 'bytesUp' | 'bytesDown';
  /** The destination of the image, for `regi verify`. */
  readonly location: string;
  /** Bytes of blobs that are missing or partial at the destination. */
  readonly missing?: (() => Promise<number>) | undefined;
  /** Lists files that should not remain at the end. */
  readonly left: () => readonly string[];
  readonly end: () => Promise<void>;
}

/** A command that has to survive a kill. */
export interface KilledCommand {
  readonly name: string;
  readonly open: (world: KillWorld) => Promise<Scene>;
}

/** The outcome of one kill. */
export interface KillOutcome {
  readonly command: string;
  /** Bytes of content that moved before the kill, and in the second run. */
  readonly first: number;
  readonly second: number;
  /** Bytes of the image's content. */
  readonly size: number;
  /** Bytes of blobs that the destination lacked after the kill and that are sent whole again. */
  readonly missing: number | undefined;
  /** True if it was killed before its end. */
  readonly killed: boolean;
  /**
   * Problems of the second run: a non-zero exit status, an image that does not verify, remaining
   * files.
   */
  readonly problems: readonly string[];
}

/** The source of the image. */
export interface KillWorld {
  readonly image: TestImageManifest;
  /** Bytes of its config and layers. */
  readonly size: number;
  readonly source: string;
  /** The same image over a link that is slow enough for a kill. */
  readonly slowSource: string;
  readonly sourceLink: ThrottleProxy;
  /** The image in an archive. */
  readonly archive: string;
}

/** @param scale of the image: 1 is 48 MiB in five layers. */
export async function createKillWorld(scale = 1): Promise<KillWorld> {
  const image = makeImage({
    layers: [16, 12, 10, 8, 2].map((mebibytes) => Math.round(mebibytes * MIB * scale)),
  });
  const place = createMemoryPlace();
  await image.pushAll(place.open('team/app'), '1');
  const registry = await startFakeRegistry({ place });
  const sourceLink = await startThrottleProxy(registry.host, LINK);
  const archive = join(temporaryFolder('archive'), 'app.tar');
  const { status, stderr } = await runMain([
    'export',
    `${registry.host}/team/app:1`,
    '-o',
    archive,
  ]);
  if (status !== 0) throw new Error(`Cannot export the image to import\n${stderr}`);
  const size = [image.config, ...image.layers].reduce((sum, blob) => sum + blob.size, 0);
  return {
    image,
    size,
    source: `${registry.host}/team/app:1`,
    slowSource: `${sourceLink.host}/team/app:1`,
    sourceLink,
    archive,
  };
}

/** Commands that write to folders and files, and resume from received bytes. */
export const DOWNLOADS: readonly KilledCommand[] = [
  {
    name: 'pull -o DIR/',
    open: async ({ slowSource: source, sourceLink }) => {
      const { cwd, home, end } = folders();
      const folder = join(cwd, 'out');
      const argv = ['pull', source, '-o', 'out/'];
      return {
        argv,
        cwd,
        home,
        link: sourceLink,
        direction: 'bytesDown',
        location: `oci:${folder}:1`,
        left: () => leftovers(folder),
        end,
      };
    },
  },
  {
    name: 'pull',
    open: async ({ slowSource: source, sourceLink }) => {
      const { cwd, home, end } = folders();
      const folder = join(home, '.local', 'share', 'regi');
      return {
        argv: ['pull', source],
        cwd,
        home,
        link: sourceLink,
        direction: 'bytesDown',
        location: `local:${source}`,
        left: () => unclaimed(folder),
        end,
      };
    },
  },
  {
    name: 'export',
    open: async ({ slowSource: source, sourceLink }) => {
      const { cwd, home, end } = folders();
      const left = (): readonly string[] => readdirSync(cwd).filter((name) => name !== 'out.tar');
      const argv = ['export', source, '-o', 'out.tar'];
      return {
        argv,
        cwd,
        home,
        link: sourceLink,
        direction: 'bytesDown',
        location: `archive:${join(cwd, 'out.tar')}`,
        left,
        end,
      };
    },
  },
];

/** A registry to copy to. */
interface Destination {
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/**
 * Commands that write to a registry which forgets an upload with a cut request: partial blobs are
 * sent again.
 */
export const UPLOADS: readonly KilledCommand[] = [
  into('copy', 'team/copy', startDockerRegistry, ({ source }, host) => [
    'copy',
    source,
    `${host}/team/copy:1`,
  ]),
  into(
    'sync',
    'team/sync',
    startDockerRegistry,
    () => ['sync', 'mirror.yaml', '--state', 'state'],
    syncFile,
  ),
  into('import', 'mirror/team/app', startDockerRegistry, ({ archive }, host) => [
    'import',
    archive,
    `${host}/mirror`,
  ]),
];

/** Commands that write to a registry which keeps partial uploads, and resume them. */
export const KEPT_UPLOADS: readonly KilledCommand[] = [
  {
    name: 'push',
    open: async (world) => ({
      ...(await into('', 'team/kept', startKeeping, pushArgs).open(world)),
      missing: undefined,
    }),
  },
];

/** The entry of one image. Its state is beside the file, where nothing counts it as a leftover. */
function syncFile(cwd: string, { source }: KillWorld, host: string): void {
  const entry = `{ from: '${source}', to: ${host}/team/sync }`;
  writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages: [${entry}]\n`);
}

function pushArgs({ archive }: KillWorld, host: string): readonly string[] {
  return ['push', archive, `${host}/team/kept:1`];
}

async function startKeeping(): Promise<Destination> {
  return startFakeRegistry({
    place: await openLayoutPlace(temporaryFolder('kept'), { create: true, clock: realClock }),
  });
}

function into(
  name: string,
  repository: string,
  start: () => Promise<Destination>,
  argv: (world: KillWorld, host: string) => readonly string[],
  prepare: (cwd: string, world: KillWorld, host: string) => void = () => {},
): KilledCommand {
  return {
    name,
    open: async (world) => {
      const registry = await start();
      const link = await startThrottleProxy(registry.host, LINK);
      const { cwd, home, end } = folders();
      prepare(cwd, world, link.host);
      return {
        argv: argv(world, link.host),
        cwd,
        home,
        link,
        direction: 'bytesUp',
        location: `${registry.host}/${repository}:1`,
        missing: () => missingAt(`http://${registry.host}/v2/${repository}`, world.image),
        left: () => [],
        async end() {
          await link.stop();
          await registry.stop();
          await end();
        },
      };
    },
  };
}

/** Kills a command after it has moved `bytes`, and runs it again. */
export async function killAt(
  world: KillWorld,
  command: KilledCommand,
  bytes: number,
): Promise<KillOutcome> {
  const scene = await command.open(world);
  const { argv, cwd, home, link, direction } = scene;
  try {
    const before = { all: link.bytesUp + link.bytesDown, moved: link[direction] };
    const running = spawnRegi(argv, { cwd, env: { HOME: home } });
    await Promise.race([link.transferred(before.all + bytes), running.finished]);
    // Stopped first, so that unread bytes can be counted.
    running.process.kill('SIGSTOP');
    const first =
      link[direction] - before.moved - (direction === 'bytesDown' ? unread(link.host) : 0);
    running.process.kill('SIGKILL');
    const { status: firstStatus } = await running.finished;
    link.cut();
    const between = link[direction];
    const missing = await scene.missing?.();
    const { status, stderr } = await runRegi(argv, { cwd, env: { HOME: home } });
    const moved = { first, second: link[direction] - between };
    const verified = await runMain(['verify', scene.location], { cwd, home });
    const left = [...scene.left(), ...remembered(home)];
    const problems = [
      ...(status === 0 ? [] : [`it ended with ${status}: ${stderr}`]),
      ...(verified.status === 0
        ? []
        : [`verify ended with ${verified.status}: ${verified.stdout}${verified.stderr}`]),
      ...(left.length === 0 ? [] : [`it left ${left.join(', ')}`]),
    ];
    return {
      command: command.name,
      ...moved,
      size: world.size,
      missing,
      killed: firstStatus !== 0,
      problems,
    };
  } finally {
    await scene.end();
  }
}

/**
 * Counts bytes in the system's socket buffers that the other side has not read: on a busy machine a
 * process may leave megabytes there. Reads the columns of proc_net_tcp(5); returns 0 where the
 * system has no such file.
 */
function unread(host: string): number {
  if (!existsSync('/proc/net/tcp')) return 0;
  const port = `:${Number(host.split(':')[1]).toString(16).toUpperCase().padStart(4, '0')}`;
  let bytes = 0;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/);
    const [sending = '0', receiving = '0'] = queues.split(':');
    if (local.endsWith(port)) bytes += Number.parseInt(sending, 16);
    if (remote.endsWith(port)) bytes += Number.parseInt(receiving, 16);
  }
  return bytes;
}

/** Points in a transfer of `size` bytes, one in each of `count` equal parts of it. */
export function killPoints(size: number, count: number, random: () => number): readonly number[] {
  return Array.from({ length: count }, (_, at) => Math.floor((size * (at + random())) / count));
}

function folders(): {
  readonly cwd: string;
  readonly home: string;
  readonly end: () => Promise<void>;
} {
  const [cwd, home] = [temporaryFolder('killed'), temporaryFolder('killed-home')];
  return {
    cwd,
    home,
    end: async () => {
      for (const folder of [cwd, home]) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The lease of a process that was killed stays for `regi prune`. */
function unclaimed(folder: string): readonly string[] {
  return leftovers(folder).filter((name) => !name.startsWith('.regi-lease'));
}

function remembered(home: string): readonly string[] {
  const state = join(home, '.local', 'state', 'regi');
  return existsSync(state) ? readdirSync(state) : [];
}

async function missingAt(url: string, { config, layers }: TestImageManifest): Promise<number> {
  let bytes = 0;
  for (const { digest, size } of [config, ...layers]) {
    const { status } = await fetch(`${url}/blobs/${digest}`, { method: 'HEAD' });
    if (status !== 200) bytes += size;
  }
  return bytes;
}
