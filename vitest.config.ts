import { defineConfig } from 'vitest/config';

import { countReporter } from './test/support/count-reporter.ts';

/**
 * Only what hangs reaches these: a machine that is ten times slower than ours must not. What a test polls for is another program's doing, and
 * is there at once or never.
 */
const PATIENCE = {
  testTimeout: 600_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 120_000, interval: 20 } },
};

export default defineConfig({
  test: {
    reporters: [['default', { summary: false }], countReporter()],
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/real/**'],
          ...PATIENCE,
        },
      },
      {
        // Real servers: one file at a time, because they share the machine, and slow, because they are real.
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          fileParallelism: false,
          ...PATIENCE,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
