import type { KeychainResult, RunKeychain } from '../../../src/credentials/keychain/program.ts';

export interface FakeKeychain {
  readonly run: RunKeychain;
  /** Its entries by account: raw, as in a real keychain. */
  readonly entries: Map<string, string>;
  /** Number of calls. */
  readonly asked: readonly string[];
  /** Replaces every reply from now on; undefined ends that. */
  fail(result: KeychainResult | undefined): void;
}

/** A keychain in memory, in place of the program that accesses the real one. */
export function fakeKeychain(): FakeKeychain {
  const entries = new Map<string, string>();
  const asked: string[] = [];
  let failure: KeychainResult | undefined;
  return {
    entries,
    asked,
    fail: (result) => (failure = result),
    async run(request) {
      asked.push(`${request.kind} ${request.account}`);
      if (failure !== undefined) return failure;
      if (request.kind === 'get') return { kind: 'done', secret: entries.get(request.account) };
      if (request.kind === 'set') entries.set(request.account, request.secret);
      else entries.delete(request.account);
      return { kind: 'done', secret: undefined };
    },
  };
}
