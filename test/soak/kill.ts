import { parseArgs } from 'node:util';

import {
  createKillWorld,
  DOWNLOADS,
  KEPT_UPLOADS,
  killAt,
  killPoints,
  UPLOADS,
  type KillOutcome,
} from '../support/cli/kills.ts';
import { findTool } from '../support/programs/real-tools.ts';

// Kills each command at many points, which are uniform over the bytes that it moves, and runs it
// again:   npm run soak:kill -- --kills 50 --seed 7 --only push

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const [kills, seed] = [Number(values.kills), Number(values.seed)];
const MIB = 1024 * 1024;
/**
 * The bytes that a command may move in all, as a multiple of the image, where it resumes partial
 * blobs.
 */
const MOST = 1.1;
/** Heads of requests and answers. */
const OVERHEAD_BYTES = 128 * 1024;

const random = randomOf(seed);
const world = await createKillWorld();
print(
  `${(world.size / MIB).toFixed(1)} MiB in ${world.image.layers.length} layers, ${kills} kills a command, seed ${seed}\n`,
);
print('command          kills  in time  finished  moved: median  worst   too much again');

let failures = 0;
const commands = [
  ...DOWNLOADS,
  ...KEPT_UPLOADS,
  ...(findTool('docker-registry') === undefined ? [] : UPLOADS),
];
for (const command of commands.filter(
  ({ name }) => values.only === undefined || name === values.only,
)) {
  const outcomes: KillOutcome[] = [];
  for (const bytes of killPoints(world.size, kills, random))
    outcomes.push(await killAt(world, command, bytes));
  const finished = outcomes.filter(({ problems }) => problems.length === 0);
  const excessive = outcomes.filter(isExcessive);
  const moved = outcomes
    .map(({ first, second, size }) => (first + second) / size)
    .toSorted((a, b) => a - b);
  const row = [
    command.name.padEnd(16),
    String(kills).padStart(5),
    String(outcomes.filter(({ killed }) => killed).length).padStart(8),
    String(finished.length).padStart(9),
    percent(moved[Math.floor(moved.length / 2)]).padStart(14),
    percent(moved.at(-1)).padStart(6),
    String(excessive.length).padStart(16),
  ];
  print(row.join(' '));
  for (const { first, problems } of outcomes)
    for (const problem of problems) print(`  killed after ${first} bytes: ${problem}`);
  failures += excessive.length + (outcomes.length - finished.length);
}
print(
  `\n"moved" is all that both runs moved, of the size of the image. ${failures === 0 ? 'All is well.' : `${failures} failures.`}`,
);
process.exit(failures === 0 ? 0 : 1);

/**
 * Into a registry that forgets a cut upload, what was not there whole is sent again, and nothing
 * else.
 */
function isExcessive({ first, second, size, missing }: KillOutcome): boolean {
  return missing === undefined
    ? first + second > size * MOST
    : second > missing * 1.01 + OVERHEAD_BYTES;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function percent(share = 0): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Numbers in [0, 1), the same for the same seed; Park and Miller's generator. */
function randomOf(start: number): () => number {
  let state = (start * 48_271) % 2_147_483_647;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
