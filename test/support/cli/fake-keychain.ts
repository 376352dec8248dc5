import type { KeychainResult, RunKeychain } from '../../../src/credentials/keychain/program.ts';

export interface FakeKeychain {
  readonly run: RunKeychain;
  /** What it keeps, by account: raw, as the real one has it. */
  readonly entries: Map<string, string>;
  /** How often it was asked. */
  readonly asked: readonly string[];
  /** From now on it answers only with this; undefined ends that. */
  fail(result: KeychainResult | undefined): void;
}

/** A keychain in memory, in place of the program that asks the real one. */
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
