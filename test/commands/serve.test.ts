import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { main } from '../../src/main.ts';
import { fakeIo, type FakeIo } from '../support/io.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function refused(args: readonly string[]): Promise<{ readonly status: number; readonly io: FakeIo }> {
  const io = fakeIo({ cwd: temporaryFolder('serve'), signal: AbortSignal.timeout(30_000) });
  writeFileSync(join(io.cwd, 'file'), 'no certificate');
  return { status: await main(['serve', '--listen', '127.0.0.1:0', ...args], io), io };
}

describe('regi serve refuses', () => {
  test.each([
    ['to start without a location', [], 2, '--memory'],
    ['a bare word that is no folder', ['nginx'], 2, 'oci:nginx'],
    ['an image of a layout', ['oci:dir:tag'], 2, 'oci:dir'],
    ['a repository', ['docker://registry.example/app'], 2, 'oci:DIR'],
    ['an archive', ['archive:images.tar'], 1, 'oci:DIR'],
    ['a file', ['file'], 1, 'oci:DIR'],
    ['a location beside --memory', ['--memory', 'oci:dir'], 2, 'leave one'],
    ['an empty registry that stays empty', ['--memory', '--read-only'], 2, '--read-only'],
    ['a layout that is to be read and is not there', ['oci:dir', '--read-only'], 3, 'oci:'],
    ['an open address without a guard', ['oci:dir', '--listen', '0.0.0.0:0'], 2, '--htpasswd FILE'],
    ['a name that may be of another machine without a guard', ['oci:dir', '--listen', 'registry.example:0'], 2, '--read-only'],
    ['an address without a port', ['oci:dir', '--listen', 'localhost'], 2, '--listen 127.0.0.1:5000'],
    ['a certificate without its key', ['oci:dir', '--tls-cert', 'file'], 2, '--tls-key'],
    ['a certificate that is none', ['oci:dir', '--tls-cert', 'file', '--tls-key', 'file'], 2, 'first'],
    ['a file of users that is missing', ['oci:dir', '--htpasswd', 'absent'], 2, 'path'],
    ['a file of users that is none', ['oci:dir', '--htpasswd', 'file'], 2, 'htpasswd -B'],
    ['a name with a scheme', ['oci:dir', '--allow-host', 'https://registry.example'], 2, 'without https://'],
  ])('%s', async (_what, args, status, hint) => {
    const found = await refused(args);
    expect(found.io.stderrText()).toMatch(/^regi: Cannot .+\n {2}\S.+\n$/);
    expect(found.io.stderrText().split('\n')[1]).toContain(hint);
    expect([found.status, found.io.stdoutText(), existsSync(join(found.io.cwd, 'dir'))]).toEqual([status, '', false]);
  });
});

describe('regi serve', () => {
  test('ends with 0 when it is told to stop', async () => {
    const controller = new AbortController();
    const io = fakeIo({ cwd: temporaryFolder('serve'), signal: controller.signal });
    const stderr = {
      ...io.stderr,
      write: async (chunk: string | Uint8Array) => {
        await io.stderr.write(chunk);
        if (chunk.toString().includes('listening on')) controller.abort(new Error('stop'));
      },
    };
    expect(await main(['serve', 'oci:dir', '--listen', '127.0.0.1:0'], { ...io, stderr })).toBe(0);
    expect(io.stderrText()).toMatch(/^made a new image layout in ".+\/dir"\nlistening on http:\/\/127\.0\.0\.1:\d+\n$/);
  });
});
