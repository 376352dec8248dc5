import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { handleKeychainRequest } from '../../../src/credentials/keychain/child.ts';
import type { KeychainEntry } from '../../../src/credentials/keychain/child.ts';
import {
  createKeychainProgram,
  type RunKeychain,
} from '../../../src/credentials/keychain/program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const GET = { kind: 'get', account: 'a.example' } as const;

async function program(
  code: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunKeychain> {
  const script = join(temporaryFolder(), 'child.mjs');
  await writeFile(script, code);
  return createKeychainProgram({ execPath: process.execPath, script, env });
}

describe('createKeychainProgram()', () => {
  test('sends the request through standard input, never in arguments or environment', async () => {
    const run = await program(`
      import { text } from 'node:stream/consumers';
      const request = JSON.parse(await text(process.stdin));
      const seen = JSON.stringify([process.argv, process.env]).includes(request.secret);
      console.log(JSON.stringify({ kind: 'done', secret: request.kind + ' ' + request.account + ' ' + seen }));`);
    expect(
      await run({ kind: 'set', account: 'a.example', secret: 's3cret' }, { timeoutMs: 60_000 }),
    ).toEqual({ kind: 'done', secret: 'set a.example false' });
  });

  test('kills a child whose thread is blocked, and reports a timeout', async () => {
    const run = await program('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);');
    expect(await run(GET, { timeoutMs: 300 })).toEqual({ kind: 'timed-out', timeoutMs: 300 });
  });

  test('stops when its signal aborts', async () => {
    const run = await program('setTimeout(() => {}, 60_000);');
    const reason = new Error('enough');
    await expect(run(GET, { timeoutMs: 60_000, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  test('reports a failed keychain when the child dies', async () => {
    const run = await program(`process.kill(process.pid, 'SIGSEGV');`);
    expect(await run(GET, { timeoutMs: 60_000 })).toMatchObject({ kind: 'failed' });
  });

  test('finds a session bus that is only a socket', async () => {
    const folder = temporaryFolder();
    const { createServer } = await import('node:net');
    const server = createServer().listen(join(folder, 'bus'));
    const run = await program(
      'console.log(JSON.stringify({ kind: "done", secret: process.env.DBUS_SESSION_BUS_ADDRESS }));',
      { XDG_RUNTIME_DIR: folder },
    );
    expect(await run(GET, { timeoutMs: 60_000 })).toEqual({
      kind: 'done',
      secret: `unix:path=${folder}/bus`,
    });
    server.close();
  });
});

describe('handleKeychainRequest()', () => {
  function entryOf(overrides: Partial<KeychainEntry>): (account: string) => Promise<KeychainEntry> {
    return async () => ({
      getPassword: async () => null,
      setPassword: async () => undefined,
      deletePassword: async () => false,
      ...overrides,
    });
  }

  test('returns no secret for null', async () => {
    expect(await handleKeychainRequest(JSON.stringify(GET), entryOf({}))).toBe('{"kind":"done"}');
  });

  test('stores a secret', async () => {
    const stored: string[] = [];
    await handleKeychainRequest(
      '{"kind":"set","account":"a","secret":"s"}',
      entryOf({ setPassword: async (secret) => void stored.push(secret) }),
    );
    expect(stored).toEqual(['s']);
  });

  test('reports errors of the keychain, also those while opening it', async () => {
    const failed = '{"kind":"failed","reason":"locked"}';
    const fail = () => Promise.reject(new Error('locked'));
    expect(await handleKeychainRequest(JSON.stringify(GET), entryOf({ getPassword: fail }))).toBe(
      failed,
    );
    expect(await handleKeychainRequest(JSON.stringify(GET), fail)).toBe(failed);
  });
});
