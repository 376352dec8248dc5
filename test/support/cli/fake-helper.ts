import type { RunHelper } from '../../../src/credentials/docker/helper.ts';

export interface FakeHelper {
  readonly run: RunHelper;
  /** User and secret, by server URL. */
  readonly entries: Map<string, { readonly username: string; readonly secret: string }>;
  readonly asked: readonly string[];
}

/** A docker credential helper named `fake`; no other helper is installed. */
export function fakeHelper(): FakeHelper {
  const entries: FakeHelper['entries'] = new Map();
  const asked: string[] = [];
  const exited = (stdout: string, status = 0) => ({ kind: 'exited' as const, status, stdout });
  return {
    entries,
    asked,
    async run(name, verb, input) {
      if (name !== 'fake') return { kind: 'missing' };
      asked.push(verb);
      switch (verb) {
        case 'store': {
          const { ServerURL, Username, Secret } = JSON.parse(input) as Readonly<
            Record<string, string>
          >;
          entries.set(ServerURL ?? '', { username: Username ?? '', secret: Secret ?? '' });
          return exited('');
        }
        case 'list':
          return exited(
            JSON.stringify(
              Object.fromEntries([...entries].map(([key, { username }]) => [key, username])),
            ),
          );
        case 'erase':
          entries.delete(input);
          return exited('');
        case 'get': {
          const found = entries.get(input);
          return found === undefined
            ? exited('credentials not found in native keychain\n', 1)
            : exited(
                JSON.stringify({
                  ServerURL: input,
                  Username: found.username,
                  Secret: found.secret,
                }),
              );
        }
        default:
          throw new Error(`Unexpected verb: ${String(verb)}`);
      }
    },
  };
}
