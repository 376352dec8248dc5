type Cleanup = () => void | Promise<void>;

const cleanups: Cleanup[] = [];

// Vitest ends its workers without their 'exit' event, and takes an afterAll only while a file is being read: that is now, at import.
// Elsewhere (bench, demo) the event does come, and what is asynchronous is left to the death signal of each server.
if (process.env['VITEST'] === undefined) {
  process.once('exit', () => void runAll());
} else {
  const { afterAll } = await import('vitest');
  afterAll(runAll);
}

/** Runs `cleanup` after the last test of the file, those registered last first, so that a starter cannot leave anything behind. */
export function afterFile(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

/** @throws {AggregateError} after the last of them, when any failed: the others still have their servers to stop. */
async function runAll(): Promise<void> {
  const failures: unknown[] = [];
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) {
    try {
      const pending = cleanup();
      if (pending !== undefined) await pending;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `Cannot clean up: ${failures.map(String).join('; ')}`);
}
