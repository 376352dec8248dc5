import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Clock } from '../../src/clock.ts';
import type { main } from '../../src/main.ts';
import { isManifestType } from '../../src/oci/media-types.ts';
import { createMemoryPlace, type MemoryPlace } from '../../src/stores/memory.ts';
import type { Place } from '../../src/store.ts';
import { ERROR_STATUSES, faultOf, type FaultKind } from '../faults/fault-kinds.ts';
import type { Scene } from '../faults/faulty-commands.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import type { TestImageIndex } from '../support/images/images.ts';
import { fakeIo } from '../support/cli/io.ts';
import type { Coverage, Pair } from './coverage.ts';
import type { Random } from './random.ts';
import type { Tally } from './report.ts';

export interface WorkerOptions {
  readonly image: TestImageIndex;
  readonly layout: string;
  readonly archive: string;
  /** A folder of its own. */
  readonly folder: string;
  /** The variables of a command whose credential helper hangs. */
  readonly helper: Readonly<Record<string, string>>;
  readonly random: Random;
  readonly coverage: Coverage;
  readonly tally: Tally;
  readonly main: typeof main;
  readonly isOver: () => boolean;
}

/** A command that is silent for longer hangs: its timeouts are a quarter of a second. */
const HUNG_MS = 60_000;
const HOUR_MS = 3_600_000;
/** How often a failed command is run once more, without a fault. */
const RUN_AGAIN = 0.25;

interface Ran {
  readonly status: number | 'hung';
  readonly stdout: string;
  readonly stderr: string;
  readonly retries: number;
}

/** Runs one command after the other against two ill registries of its own. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { image, random, coverage, isOver, folder } = options;
  const held = new FreshPlace();
  const [source, destination] = [
    await startFakeRegistry(),
    await startFakeRegistry({ place: held }),
  ];
  await image.pushAll(source.place.open('app'), 'v1');
  for (let count = 0; !isOver(); count += 1) {
    held.empty();
    const pair = coverage.next(random);
    const scene: Scene = {
      ...options,
      source,
      destination,
      folder: join(folder, String(count)),
      name: 'copied',
    };
    for (const name of ['', 'home', 'tmp', 'out-of'])
      mkdirSync(join(scene.folder, name), { recursive: true });
    await runScene(options, pair, { ...scene, folder: join(scene.folder, 'out-of') });
    rmSync(scene.folder, { recursive: true, force: true });
  }
  await Promise.all([source.stop(), destination.stop()]);
}

async function runScene(options: WorkerOptions, pair: Pair, scene: Scene): Promise<void> {
  const { random, coverage, tally } = options;
  const { command } = pair;
  const faults = inject(options, pair, scene);
  const kinds = faults.map(({ kind }) => kind);
  const env = kinds.some(({ needsHelper }) => needsHelper === true) ? options.helper : {};
  const ran = await run(options, { scene, pair, flags: ['--timeout', '0.25'], env });
  const about = `${command.name} · ${faults.map(({ text }) => text).join(' + ')} · `;
  for (const { fault } of [...scene.source.requests, ...scene.destination.requests])
    if (fault !== undefined) coverage.count(fault, command.name);
  tally.operations += 1;
  tally.retries += ran.retries;
  if (ran.status === 'hung') {
    tally.hung.push(`${about}hung`);
    return;
  }
  if (/a bug in regi/.test(ran.stderr)) tally.bugs.push(about + ran.stderr.trim());
  if (ran.status === 0) {
    tally.endedWell += 1;
    await look(await command.flaws(scene, ran.stdout));
    countBytes(scene, tally);
    tally.leaks.push(...leftIn(scene).map((name) => `${about}${name}`));
    return;
  }
  tally.endedWithError += 1;
  if (!kinds.flatMap(({ statuses }) => statuses ?? ERROR_STATUSES).includes(ran.status))
    tally.mismatches.push(`${about}exit ${ran.status}: ${ran.stderr.trim()}`);
  await look(await command.remains(scene, ran.stdout));
  if (random.next() > RUN_AGAIN) return;
  tally.runAgain += 1;
  for (const registry of [scene.source, scene.destination]) registry.forgetFaults();
  // Without a fault no peer may be given up, and a busy machine may be slow.
  const again = await run(options, { scene, pair, flags: [], env: {} });
  if (again.status !== 0)
    tally.mismatches.push(`${about}run again: exit ${again.status}: ${again.stderr.trim()}`);
  else await look(await command.flaws(scene, again.stdout));
  tally.leaks.push(...leftIn(scene).map((name) => `${about}run again: ${name}`));

  async function look(flaws: readonly string[]): Promise<void> {
    for (const flaw of flaws)
      (flaw.endsWith('is left') ? tally.leaks : tally.mismatches).push(about + flaw);
  }
}

/** Scripts the pair's fault, perhaps several of it, and sometimes one of another kind. */
function inject(
  { random, coverage }: WorkerOptions,
  pair: Pair,
  scene: Scene,
): readonly { readonly kind: FaultKind; readonly text: string }[] {
  for (const registry of [scene.source, scene.destination]) {
    registry.forgetFaults();
    registry.forgetRequests();
  }
  const second = random.next() < 0.3 ? coverage.another(pair, random) : undefined;
  return [pair, ...(second === undefined ? [] : [second])].map(({ kind, places }, index) => {
    const place = places[random.below(places.length)];
    if (place === undefined) throw new Error(`Fault "${kind.name}" has no place`);
    const times = index === 0 && kind.isSlow !== true ? 1 + random.below(3) : 1;
    scene[place.side].fault(
      faultOf(kind, place.target, place.side === 'source' ? 'app' : scene.name, times),
    );
    return { kind, text: `${times} × ${kind.name}: ${place.target} at the ${place.side}` };
  });
}

interface Run {
  readonly scene: Scene;
  readonly pair: Pair;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function run(
  { main: regi, random }: WorkerOptions,
  { scene, pair: { command }, flags, env }: Run,
): Promise<Ran> {
  const clock = hurriedClock(random);
  const stop = new AbortController();
  const [home, temp] = [join(scene.folder, '..', 'home'), join(scene.folder, '..', 'tmp')];
  const io = fakeIo({
    cwd: scene.folder,
    home,
    env: { TMPDIR: temp, ...env },
    clock,
    signal: stop.signal,
  });
  const ended = new AbortController();
  const late = delay(HUNG_MS, 'hung' as const, { signal: ended.signal }).catch(
    () => 'hung' as const,
  );
  const status = await Promise.race([regi([...command.argv(scene), ...flags], io), late]);
  ended.abort();
  if (status === 'hung') stop.abort();
  return { status, stdout: io.stdoutText(), stderr: io.stderrText(), retries: clock.sleeps() };
}

/** The machine's time, up to twelve hours off, on which a wait of a second takes a millisecond. */
function hurriedClock(random: Random): Clock & { sleeps(): number } {
  const offsetMs = Math.round((random.next() - 0.5) * 24) * HOUR_MS;
  let sleeps = 0;
  return {
    now: () => Date.now() + offsetMs,
    random: () => random.next(),
    async sleep(ms, signal) {
      sleeps += 1;
      await delay(Math.ceil(ms / 1000), undefined, { ...(signal && { signal }) });
    },
    sleeps: () => sleeps,
  };
}

/** Bytes of blobs that crossed the wire, and those that did so more than once. */
function countBytes({ source, destination, image }: Scene, tally: Tally): void {
  const read = new Map<string, number>();
  for (const { kind, url, sent } of source.requests)
    if (kind === 'blob') read.set(url, (read.get(url) ?? 0) + sent);
  const uploads = destination.requests
    .filter(({ kind }) => kind === 'upload')
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const blobs = [...image.nodes.values()]
    .map(({ descriptor }) => descriptor)
    .filter(({ mediaType }) => !isManifestType(mediaType));
  const whole = uploads === 0 ? 0 : blobs.reduce((sum, { size }) => sum + size, 0);
  tally.bytesMoved += uploads + [...read.values()].reduce((sum, bytes) => sum + bytes, 0);
  tally.bytesResent += Math.max(0, uploads - whole);
  for (const { digest, size } of blobs)
    tally.bytesResent += Math.max(0, (read.get(`/v2/app/blobs/${digest}`) ?? 0) - size);
}

/** Files outside the result: unpacked archives, journals of what is finished. */
function leftIn({ folder }: Scene): readonly string[] {
  return ['tmp', 'home'].flatMap((name) =>
    readdirSync(join(folder, '..', name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.name} is left in ${name}`),
  );
}

/** A place that can be emptied, so that a long run keeps a flat memory. */
class FreshPlace implements Place {
  readonly name = 'soak';
  #inner: MemoryPlace = createMemoryPlace();

  empty(): void {
    this.#inner = createMemoryPlace();
  }

  repositories(...args: Parameters<Place['repositories']>): AsyncIterable<string> {
    return this.#inner.repositories(...args);
  }

  open(repository: string): ReturnType<Place['open']> {
    return this.#inner.open(repository);
  }
}
