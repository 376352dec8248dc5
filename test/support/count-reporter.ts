import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with one line that people and scripts can read: `120 passed, 0 failed, 3 skipped`. */
export function countReporter(): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[], unhandled) {
      let [passed, failed, skipped] = [0, unhandled.length, 0];
      for (const module of modules) {
        const tests = [...module.children.allTests()];
        // A file that fails to load, or whose hooks throw, has an error and may have no test.
        if (!module.ok() && !tests.some((test) => test.result().state === 'failed')) failed += 1;
        for (const test of tests) {
          const { state } = test.result();
          if (state === 'passed') passed += 1;
          else if (state === 'failed') failed += 1;
          else skipped += 1;
        }
      }
      process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    },
  };
}
