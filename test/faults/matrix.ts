import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { instantClock } from '../support/clock.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import {
  ERROR_STATUSES,
  FAULT_KINDS,
  FAULTY_IMAGE,
  faultOf,
  type FaultKind,
  type Target,
} from './fault-kinds.ts';
import { FAULTY_COMMANDS, type FaultyCommand, type Scene } from './faulty-commands.ts';
import { installHangingHelper } from './hanging-helper.ts';

/** Commands by the test file that strikes them, so that workers share the matrix. */
const FILES = {
  copy: ['copy', 'copy --all-tags', 'copy --referrers'],
  upload: ['copy --chunk-size', 'push', 'import'],
  download: ['pull', 'copy oci:', 'export', 'export --referrers'],
} as const;

let shared: Omit<Scene, 'folder' | 'name'>;
let runs = 0;
let folder: string;
let helper: Readonly<Record<string, string>>;

/**
 * Declares the tests of every fault on the commands of one file; `read` stands for the commands
 * that no other file names.
 */
export function testFaults(file: keyof typeof FILES | 'read'): void {
  beforeAll(prepare);
  describe.each(commandsOf(file))('$name', (command) => {
    test.each(
      strikesOn(command).map(
        (strike) =>
          [`${strike.kind.name}: ${strike.target} at the ${strike.side}`, strike] as const,
      ),
    )('%s', (_, strike) => expectSurvival(command, strike));
  });
}

function commandsOf(file: keyof typeof FILES | 'read'): readonly FaultyCommand[] {
  const named: readonly string[] = file === 'read' ? Object.values(FILES).flat() : FILES[file];
  return FAULTY_COMMANDS.filter(({ name }) => named.includes(name) !== (file === 'read'));
}

async function prepare(): Promise<void> {
  const [source, destination] = [await startFakeRegistry(), await startFakeRegistry()];
  await FAULTY_IMAGE.pushAll(source.place.open('app'), 'v1');
  folder = temporaryFolder('faults');
  mkdirSync(join(folder, 'home'));
  helper = installHangingHelper(join(folder, 'helper'));
  await runMain(['copy', `${source.host}/app:v1`, `oci:${join(folder, 'layout')}:v1`]);
  await runMain(['copy', `${source.host}/app:v1`, `archive:${join(folder, 'image.tar')}:app:v1`]);
  shared = {
    image: FAULTY_IMAGE,
    source,
    destination,
    layout: join(folder, 'layout'),
    archive: join(folder, 'image.tar'),
  };
}

interface Strike {
  readonly kind: FaultKind;
  readonly target: Target;
  readonly side: 'source' | 'destination';
}

/**
 * Every kind on every request of `copy`. For another command each kind strikes one request, in
 * turn: they share the code below.
 */
function strikesOn({ name, asks }: FaultyCommand): readonly Strike[] {
  let turn = 0;
  return (['source', 'destination'] as const).flatMap((side) =>
    FAULT_KINDS.flatMap((kind) => {
      const all = kind.targets
        .filter((target) => asks[side]?.includes(target))
        .map((target): Strike => ({ kind, target, side }));
      turn += 1;
      const chosen = all[turn % all.length];
      return name === 'copy' || chosen === undefined ? all : [chosen];
    }),
  );
}

async function expectSurvival(
  { argv, flaws, remains }: FaultyCommand,
  { kind, target, side }: Strike,
): Promise<void> {
  runs += 1;
  const scene: Scene = { ...shared, folder: join(folder, `${runs}`), name: `app-${runs}` };
  mkdirSync(scene.folder);
  const registry: FakeRegistry = scene[side];
  registry.forgetRequests();
  registry.fault(faultOf(kind, target, side === 'source' ? 'app' : scene.name));

  const { status, stdout, stderr } = await runMain(
    [...argv(scene), '--timeout', kind.isSlow === true ? '0.75' : '30'],
    {
      cwd: scene.folder,
      home: join(folder, 'home'),
      clock: instantClock(),
      env: kind.needsHelper === true ? helper : {},
    },
  );

  const strikes = registry.requests.filter(({ fault }) => fault === kind.name).length;
  expect(kind.isStanding === true ? Math.min(strikes, 1) : strikes, 'strikes').toBe(1);
  expect(stderr).not.toMatch(/a bug in regi/);
  if (status === 0) expect(await flaws(scene, stdout)).toEqual([]);
  else {
    expect(kind.statuses ?? ERROR_STATUSES, stderr).toContain(status);
    expect(stderr).toMatch(/^regi: Cannot .+\n {2}\S|^\{"error":\{"code":"(?!BUG)/m);
    expect(await remains(scene, stdout)).toEqual([]);
  }
  rmSync(scene.folder, { recursive: true });
  if (kind.ending !== 'either') expect(status === 0 ? 'well' : 'error', stderr).toBe(kind.ending);
}
