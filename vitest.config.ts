import { defineConfig } from 'vitest/config';

import { countReporter } from './test/support/count-reporter.ts';

/**
 * Reached only by a test that hangs: a machine ten times slower than ours stays below. A poll waits
 * for another program, whose work is done soon or never.
 */
const COMMON = {
  setupFiles: ['test/support/clean-up.setup.ts'],
  testTimeout: 600_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 120_000, interval: 20 } },
};

const REAL = 'test/real/**/*.test.ts';
/** Run by `npm run test:long`: minutes of repetition, such as every fault on every command. */
const LONG = 'test/**/*.long.test.ts';

export default defineConfig({
  test: {
    reporters: [['default', { summary: false }], countReporter()],
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'html'] },
    // Vitest leaves one core to itself, which is half of a machine with two.
    maxWorkers: '100%',
    projects: [
      {
        // Files of one worker share the loaded sources, which halves the processor time.
        test: {
          name: 'unit',
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: [REAL, LONG],
          ...COMMON,
        },
      },
      {
        test: {
          name: 'real',
          include: [REAL],
          exclude: [LONG],
          isolate: false,
          ...COMMON,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'long',
          include: [LONG],
          isolate: false,
          ...COMMON,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
