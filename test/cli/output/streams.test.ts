import { PassThrough, Writable } from 'node:stream';

import { describe, expect, test } from 'vitest';

import { hostPlatform, openIo, type HostProcess } from '../../../src/cli/open-io.ts';
import { isReaderGone } from '../../../src/cli/output/output.ts';
import { textInput, textOutput } from '../../../src/cli/output/streams.ts';
import { InterruptedError } from '../../../src/errors.ts';

describe('textOutput()', () => {
  test('write() resolves when the stream has taken the bytes, not before', async () => {
    let release = (): void => undefined;
    const slow = new Writable({
      write: (_chunk, _encoding, done) => {
        release = done;
      },
    });
    let written = false;
    const writing = textOutput(slow)
      .write('text')
      .then(() => (written = true));
    await Promise.resolve();
    expect(written).toBe(false);
    release();
    await writing;
    expect(written).toBe(true);
  });

  test('write() rejects with EPIPE when the reader has gone, and again at the next write', async () => {
    const gone = new Writable({
      write: (_chunk, _encoding, done) =>
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    const output = textOutput(gone);
    for (let time = 0; time < 2; time += 1) {
      const error: unknown = await output.write('text').catch((reason: unknown) => reason);
      expect(isReaderGone(error)).toBe(true);
    }
  });
});

describe('textInput()', () => {
  test('read() returns everything', async () => {
    const stream = new PassThrough();
    stream.end('päss\n');
    expect(await textInput(() => stream, new PassThrough()).read(100)).toBe('päss\n');
  });

  test('read() refuses more than its limit', async () => {
    const stream = new PassThrough();
    stream.end('x'.repeat(101));
    await expect(textInput(() => stream, new PassThrough()).read(100)).rejects.toThrow(
      'expected at most 100 bytes',
    );
  });
});

describe('openIo()', () => {
  test('openIo() aborts at the first signal and exits at the second', () => {
    const { host, raise, exits } = fakeProcess();
    const { signal } = openIo(host);
    expect(signal.aborted).toBe(false);
    raise('SIGTERM');
    expect(signal.reason).toBeInstanceOf(InterruptedError);
    expect(exits).toEqual([]);
    raise('SIGINT');
    expect(exits).toEqual([130]);
    expect((signal.reason as InterruptedError).exitStatus).toBe(143);
  });
});

describe('hostPlatform()', () => {
  test.each([
    [
      { platform: 'linux', arch: 'x64', execPath: 'node', endianness: 'LE' },
      { os: 'linux', architecture: 'amd64' },
    ],
    [
      { platform: 'win32', arch: 'arm64', endianness: 'LE' },
      { os: 'windows', architecture: 'arm64' },
    ],
    [
      { platform: 'linux', arch: 'arm', endianness: 'LE', armVersion: '6' },
      { os: 'linux', architecture: 'arm', variant: 'v6' },
    ],
    [
      { platform: 'linux', arch: 'ppc64', endianness: 'LE' },
      { os: 'linux', architecture: 'ppc64le' },
    ],
    [
      { platform: 'darwin', arch: 'arm64', endianness: 'LE' },
      { os: 'darwin', architecture: 'arm64' },
    ],
  ] as const)('hostPlatform() translates %j to the names of image indexes', (facts, platform) => {
    expect(hostPlatform(facts)).toEqual(platform);
  });
});

function fakeProcess(): {
  host: HostProcess;
  raise: (signal: 'SIGINT' | 'SIGTERM') => void;
  exits: number[];
} {
  const listeners = new Map<string, () => void>();
  const exits: number[] = [];
  const host = {
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    stdin: new PassThrough(),
    env: {},
    platform: 'linux',
    arch: 'x64',
    execPath: 'node',
    config: { variables: {} },
    cwd: () => '/',
    // The real exit() never returns.
    exit: ((status: number) => exits.push(status)) as unknown as HostProcess['exit'],
    on: (signal: string, listener: () => void) => listeners.set(signal, listener),
  };
  return { host, raise: (signal) => listeners.get(signal)?.(), exits };
}
