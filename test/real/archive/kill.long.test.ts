import { beforeAll, describe, expect, test } from 'vitest';

import {
  createKillWorld,
  DOWNLOADS,
  KEPT_UPLOADS,
  killAt,
  killPoints,
  UPLOADS,
  type KilledCommand,
  type KillOutcome,
  type KillWorld,
} from '../../support/cli/kills.ts';
import { describeReal } from '../../support/programs/real-tools.ts';

const KILLS = 5;
/** Heads of requests and answers. */
const OVERHEAD_BYTES = 128 * 1024;

let world: KillWorld;

beforeAll(async () => {
  world = await createKillWorld();
});

/** In the middle of each fifth: the soak has other points each time. */
async function killed(command: KilledCommand): Promise<readonly KillOutcome[]> {
  const outcomes: KillOutcome[] = [];
  for (const bytes of killPoints(world.size, KILLS, () => 0.5))
    outcomes.push(await killAt(world, command, bytes));
  return outcomes;
}

function expectWhole(outcomes: readonly KillOutcome[]): void {
  expect(outcomes.flatMap(({ problems }) => problems)).toEqual([]);
  expect(outcomes.filter((outcome) => outcome.killed).length).toBeGreaterThan(KILLS / 2);
}

describe('kill -9', () => {
  test.each([...DOWNLOADS, ...KEPT_UPLOADS].map((command) => [command.name, command] as const))(
    '%s resumes: it moves its bytes and a tenth at most',
    async (_, command) => {
      const outcomes = await killed(command);
      expectWhole(outcomes);
      for (const { first, second, size } of outcomes)
        expect((first + second) / size).toBeLessThan(1.1);
    },
  );
});

describeReal('kill -9 with a registry that forgets cut uploads', ['docker-registry'], () => {
  test.each(UPLOADS.map((command) => [command.name, command] as const))(
    '%s sends nothing again that was there whole',
    async (_, command) => {
      const outcomes = await killed(command);
      expectWhole(outcomes);
      for (const { second, missing = 0 } of outcomes)
        expect(second).toBeLessThan(missing * 1.01 + OVERHEAD_BYTES);
    },
  );
});
