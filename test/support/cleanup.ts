type Cleanup = () => void | Promise<void>;

const cleanups: Cleanup[] = [];

// The bench and the demo have no `afterAll`. Their servers end with them by the death signal; what
// is synchronous is done here.
if (process.env['VITEST'] === undefined) process.once('exit', () => void cleanUp());

/** Runs `cleanup` after the last test of the file, the last registered first. */
export function afterFile(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

/**
 * @throws {AggregateError} after the last cleanup, when any failed: the others still have to stop
 * their servers.
 */
export async function cleanUp(): Promise<void> {
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
