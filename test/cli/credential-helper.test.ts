import { describe, expect, test } from 'vitest';

import { helperMain } from '../../src/main.ts';
import { fakeKeychain } from '../support/cli/fake-keychain.ts';
import { fakeIo, type FakeIoOptions } from '../support/cli/io.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BUS = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' };

async function run(argv: readonly string[], options: FakeIoOptions = {}) {
  const io = fakeIo({ home: temporaryFolder('home'), env: BUS, ...options });
  const status = await helperMain(argv, io);
  return { status, stdout: io.stdoutText(), stderr: io.stderrText() };
}

describe('docker-credential-regi', () => {
  test('speaks the protocol over standard input and output', async () => {
    const options = { home: temporaryFolder('home'), runKeychain: fakeKeychain().run };
    const login = '{"ServerURL":"a.example","Username":"ci","Secret":"s3cret"}\n';
    expect(await run(['store'], { ...options, stdin: login })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect(await run(['get'], { ...options, stdin: 'a.example\n' })).toEqual({
      status: 0,
      stdout: login,
      stderr: '',
    });
    expect(await run(['list'], options)).toEqual({
      status: 0,
      stdout: '{"a.example":"ci"}\n',
      stderr: '',
    });
    expect(await run(['erase'], { ...options, stdin: 'a.example' })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect(await run(['get'], { ...options, stdin: 'a.example' })).toMatchObject({ status: 1 });
  });

  test('prints no password on a terminal', async () => {
    expect(await run(['get'], { isTTY: true, stdin: 'a.example' })).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('terminal'),
    });
  });

  test.each([[[]], [['get', 'a.example']]])('prints its usage for %j', async (argv) => {
    expect(await run(argv)).toEqual({
      status: 1,
      stdout: 'Usage: docker-credential-regi get|store|erase|list|version\n',
      stderr: '',
    });
  });

  test('prints its version', async () => {
    expect(await run(['version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^docker-credential-regi \d+\.\d+\.\d+\n$/),
    });
  });

  test('ignores docker configuration, which may name this helper', async () => {
    const env = {
      ...BUS,
      DOCKER_CONFIG: '/dev/null/nowhere',
      REGI_REGISTRY: 'a.example',
      REGI_USERNAME: 'x',
      REGI_PASSWORD: 'y',
    };
    expect(await run(['get'], { env, stdin: 'a.example' })).toEqual({
      status: 1,
      stdout: 'credentials not found in native keychain\n',
      stderr: '',
    });
  });
});
