/**
 * `npm run soak -- [--seconds N] [--seed N] [--workers N] [--unverified]`: runs commands against
 * registries that fail in every way that is known, for ten minutes, and looks at what they leave.
 * It ends with 1 when anything is wrong, and with 2 when too little was tried.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { main } from '../../src/main.ts';
import { FAULTY_IMAGE } from '../faults/fault-kinds.ts';
import { installHangingHelper } from '../faults/hanging-helper.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { fakeIo } from '../support/cli/io.ts';
import { realClock } from '../support/clock.ts';
import { Coverage } from './coverage.ts';
import { Random } from './random.ts';
import { isClean, reportText, WANTED_FAULTS, WANTED_HITS, type Tally } from './report.ts';
import { buildUnverified } from './unverified.ts';
import { runWorker } from './worker.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '6' },
    unverified: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'regi-soak-'));
try {
  process.exitCode = await soak(
    Number(values.seconds),
    Number(values.seed),
    Number(values.workers),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function soak(seconds: number, seed: number, workers: number): Promise<number> {
  const regi = values.unverified ? await buildUnverified(join(folder, 'unverified')) : main;
  const { layout, archive } = await arrange();
  const helper = installHangingHelper(join(folder, 'helper'));
  const tally: Tally = {
    operations: 0,
    endedWell: 0,
    endedWithError: 0,
    runAgain: 0,
    retries: 0,
    bytesMoved: 0,
    bytesResent: 0,
    mismatches: [],
    leaks: [],
    hung: [],
    bugs: [],
  };
  const coverage = new Coverage();
  const begun = Date.now();
  const isOver = (): boolean => Date.now() - begun >= seconds * 1000;
  process.stdout.write(
    `soak: seed ${seed}, ${seconds} s, ${workers} at once, ${coverage.pairs.length} pairs of fault kind and command\n`,
  );
  await Promise.all(
    Array.from({ length: workers }, (_, index) => {
      const own = join(folder, `worker-${index}`);
      mkdirSync(own);
      return runWorker({
        image: FAULTY_IMAGE,
        layout,
        archive,
        folder: own,
        helper,
        random: new Random(seed * 1000 + index),
        coverage,
        tally,
        main: regi,
        isOver,
      });
    }),
  );
  process.stdout.write(reportText(tally, coverage, (Date.now() - begun) / 1000));
  if (!isClean(tally)) return fail(1, 'what is listed above was found');
  if (coverage.least() >= WANTED_HITS && coverage.total() >= WANTED_FAULTS) return 0;
  return fail(
    2,
    `too little was tried: expected ${WANTED_FAULTS} faults and ${WANTED_HITS} of each kind on each command; allow more with --seconds`,
  );
}

function fail(status: number, why: string): number {
  process.stderr.write(`soak: ${why}\n`);
  return status;
}

/** The same image as a layout and as an archive. */
async function arrange(): Promise<{ readonly layout: string; readonly archive: string }> {
  const registry = await startFakeRegistry();
  await FAULTY_IMAGE.pushAll(registry.place.open('app'), 'v1');
  const [layout, archive, home] = [
    join(folder, 'layout'),
    join(folder, 'image.tar'),
    join(folder, 'home'),
  ];
  mkdirSync(home);
  for (const to of [`oci:${layout}:v1`, `archive:${archive}:app:v1`]) {
    const io = fakeIo({ cwd: folder, home, clock: realClock });
    if ((await main(['copy', `${registry.host}/app:v1`, to], io)) !== 0)
      throw new Error(io.stderrText());
  }
  await registry.stop();
  return { layout, archive };
}
