import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Digest } from '../../../src/oci/digest.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { requireTool } from './real-tools.ts';
import { runOrThrow } from './run-program.ts';

/** gpg with a home of its own. Keys have no passphrase. */
export interface Gpg {
  readonly home: string;
  run(...args: readonly string[]): Promise<string>;
  makeKey(name: string, expiry?: string, ...options: readonly string[]): Promise<void>;
  /** Signs bytes as an inline-signed message. */
  sign(
    content: string | Uint8Array,
    signers: readonly string[],
    ...options: readonly string[]
  ): Promise<Buffer>;
  /** Returns the public keys, not armored. */
  exported(...names: readonly string[]): Promise<Buffer>;
}

export function makeGpg(): Gpg {
  const home = temporaryFolder('gpg');
  const [content, message, key] = ['content', 'message', 'key'].map((name) => join(home, name));
  const run: Gpg['run'] = async (...args) =>
    runOrThrow(requireTool('gpg'), ['--homedir', home, '--batch', '--yes', ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: home },
    });
  return {
    home,
    run,
    async makeKey(name, expiry = 'never', ...options) {
      const generate = ['--quick-generate-key', name, 'ed25519', 'sign', expiry];
      await run(...options, '--passphrase', '', ...generate);
    },
    async sign(bytes, signers, ...options) {
      writeFileSync(content ?? '', bytes);
      const users = signers.flatMap((name) => ['--local-user', name]);
      await run(...options, ...users, '--output', message ?? '', '--sign', content ?? '');
      return readFileSync(message ?? '');
    },
    async exported(...names) {
      await run('--output', key ?? '', '--export', ...names);
      return readFileSync(key ?? '');
    },
  };
}

/** The payload that skopeo signs with GPG. */
export function makeGpgPayload(digest: Digest, name: string): string {
  return JSON.stringify({
    critical: {
      identity: { 'docker-reference': name },
      image: { 'docker-manifest-digest': digest },
      type: 'atomic container signature',
    },
    optional: { creator: 'test', timestamp: 1 },
  });
}
