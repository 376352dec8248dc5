import { defineConfig } from 'vitest/config';

import { countReporter } from './test/support/count-reporter.ts';

export default defineConfig({
  test: {
    reporters: [['default', { summary: false }], countReporter()],
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/real/**'], testTimeout: 30_000, hookTimeout: 30_000 },
      },
      {
        // Real servers: one file at a time, because they share the machine, and slow, because they are real.
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
