import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { InterruptedError, type InterruptSignal } from '../../src/errors.ts';
import { main } from '../../src/main.ts';
import { createMemoryPlace } from '../../src/stores/memory.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeImage } from '../support/images/images.ts';
import { instantClock } from '../support/clock.ts';
import { fakeIo, type FakeIo } from '../support/cli/io.ts';
import { damagedBlobs, leftovers } from '../support/images/layout-folder.ts';
import { runMain, type MainResult } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1024 * 1024;
const IMAGE = makeImage({ layers: [4 * MIB] });
const KEPT =
  '{"kind":"note","message":"Partial data is kept: run the same command again to resume; `regi prune --journal` discards it"}';

let cwd: string;
let home: string;
let registry: FakeRegistry;
let image: string;

beforeEach(async () => {
  cwd = temporaryFolder('cwd');
  home = temporaryFolder('home');
  const place = createMemoryPlace();
  await IMAGE.pushAll(place.open('team/app'), '1');
  registry = await startFakeRegistry({ place });
  image = `${registry.host}/team/app:1`;
});

/** Runs a command, and interrupts it when 2 MiB of the layer have come. */
async function interrupted(
  argv: readonly string[],
  signal: InterruptSignal = 'SIGINT',
): Promise<MainResult> {
  registry.fault({
    match: { method: 'GET', path: /blobs/ },
    times: 2,
    action: { kind: 'stall', afterBytes: 3 * MIB },
  });
  const controller = new AbortController();
  const instant = instantClock();
  let now = instant.now();
  // Bytes that move are told ten times a second.
  const clock = { ...instant, now: () => (now += 100) };
  const io = fakeIo({ cwd, home, clock, signal: controller.signal });
  const status = await main(
    ['--progress', 'json', ...argv],
    watching(io, () => controller.abort(new InterruptedError(signal))),
  );
  return { status, stdout: io.stdoutText(), stderr: io.stderrText(), sleeps: instant.sleeps };
}

function watching(io: FakeIo, onCome: () => void): FakeIo {
  let come = 0;
  const write: FakeIo['stderr']['write'] = async (chunk) => {
    await io.stderr.write(chunk);
    come += Number(/"kind":"progress".*"bytes":(\d+)/.exec(String(chunk))?.[1] ?? 0);
    if (come > 2 * MIB) onCome();
  };
  return { ...io, stderr: { ...io.stderr, write } };
}

function again(argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd, home });
}

function stateFiles(): readonly string[] {
  const folder = join(home, '.local', 'state', 'regi');
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe('an interrupted pull into a layout', () => {
  const PULL = () => ['pull', image, '-o', 'out/'];

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('keeps what has come and says so, on %s', async (signal, expected) => {
    const { status, stderr } = await interrupted(PULL(), signal);
    expect([status, stderr.includes(KEPT), stderr.includes(`Interrupted by ${signal}`)]).toEqual([
      expected,
      true,
      true,
    ]);
    expect(leftovers(join(cwd, 'out')).map((name) => name.slice(0, 10))).toEqual(['.regi-part']);
  });

  test('is resumed when the command runs again, and leaves nothing', async () => {
    await interrupted(PULL());
    registry.forgetRequests();
    const { status, stderr } = await again(PULL());
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^resumed +sha256:[0-9a-f]+ +4\.0 MiB [\d.]+ [KM]iB already transferred$/m,
      ),
    ]);
    expect(registry.requests.filter(({ headers }) => headers['range'] !== undefined)).toHaveLength(
      1,
    );
    expect([leftovers(join(cwd, 'out')), damagedBlobs(join(cwd, 'out')), stateFiles()]).toEqual([
      [],
      [],
      [],
    ]);
  });

  test('is forgotten by prune --journal, once it was shown by --dry-run', async () => {
    await interrupted(PULL());
    const shown = await again(['prune', '--journal', '--dry-run']);
    expect(shown.stdout).toMatch(
      new RegExp(
        `^Would delete: oci:${cwd}/out@sha256:[0-9a-f]{64}\nTotal reclaimed space: [^0].*\n$`,
      ),
    );
    expect(leftovers(join(cwd, 'out'))).toHaveLength(1);
    const forgotten = await again(['prune', '--journal']);
    expect(forgotten.stdout).toMatch(/^Deleted: oci:/);
    expect([leftovers(join(cwd, 'out')), stateFiles()]).toEqual([[], []]);
    expect((await again(['prune', '--journal'])).stdout).toBe('Total reclaimed space: 0 B\n');
  });
});

describe('an interrupted pull into the local store', () => {
  test('is resumed when the command runs again', async () => {
    const { stderr } = await interrupted(['pull', image]);
    expect(stderr).toContain(KEPT);
    registry.forgetRequests();
    expect((await again(['pull', image])).status).toBe(0);
    expect(registry.requests.filter(({ headers }) => headers['range'] !== undefined)).toHaveLength(
      1,
    );
    expect(stateFiles()).toEqual([]);
  });

  test('is left by prune, which says so', async () => {
    await interrupted(['pull', image]);
    expect((await again(['prune'])).stderr).toMatch(
      /^Kept [\d.]+ [KM]iB that interrupted commands can resume; `regi prune --journal` discards them$/m,
    );
    expect((await again(['pull', image])).stderr).toContain('resumed');
  });

  test('is forgotten by prune --journal, also without the state folder', async () => {
    await interrupted(['pull', image]);
    const elsewhere = { XDG_STATE_HOME: temporaryFolder('state') };
    const { stdout } = await runMain(['prune', '--journal'], { cwd, home, env: elsewhere });
    expect(stdout).toMatch(/^Deleted: oci:.*@sha256:/);
  });
});

describe('an interrupted pull into an archive', () => {
  const PULL = () => ['pull', image, '-o', 'out.tar'];

  test('keeps FILE.part and its journal, and is resumed when the command runs again', async () => {
    expect((await interrupted(PULL())).stderr).toContain(KEPT);
    expect(readdirSync(cwd).toSorted()).toEqual(['out.tar.part', 'out.tar.part.journal']);
    const { status, stderr } = await again(PULL());
    expect([status, stderr]).toEqual([0, expect.stringContaining('Resuming "out.tar.part"')]);
    expect([readdirSync(cwd), stateFiles()]).toEqual([['out.tar'], []]);
  });

  test('is forgotten by prune --journal', async () => {
    await interrupted(PULL());
    expect((await again(['prune', '--journal'])).stdout).toMatch(
      new RegExp(`^Deleted: ${cwd}/out.tar.part\n`),
    );
    expect([readdirSync(cwd), stateFiles()]).toEqual([[], []]);
  });

  test('that was removed by hand is no news to prune --journal', async () => {
    await interrupted(PULL());
    for (const name of readdirSync(cwd)) rmSync(join(cwd, name));
    expect([(await again(['prune', '--journal'])).stdout, stateFiles()]).toEqual([
      'Total reclaimed space: 0 B\n',
      [],
    ]);
  });
});
