import { describe, expect, test } from 'vitest';

import { parseSettings, wantsColor } from '../../../src/cli/parse/settings.ts';

const OUTSIDE = { env: {}, cwd: '/folder' };

describe('parseSettings()', () => {
  test('parseSettings() has the documented defaults', () => {
    expect(parseSettings({}, OUTSIDE)).toMatchObject({
      json: false,
      quiet: false,
      verbosity: 0,
      progress: 'auto',
      timeoutMs: undefined,
      retries: 5,
    });
  });

  test('parseSettings() parses every flag', () => {
    const settings = parseSettings(
      {
        verbose: ['', '', ''],
        progress: 'plain',
        concurrency: '4',
        'limit-rate': '1M',
        'chunk-size': '5M',
        'insecure-registry': ['10.0.0.0/8'],
        'plain-http': ['A.example'],
        'tls-skip-verify': ['b.example:5000'],
        'ca-file': 'ca.pem',
        authfile: '/auth.json',
        'src-creds': 'me:file:secret',
        timeout: '5',
        retry: '0',
      },
      OUTSIDE,
    );
    expect(settings).toMatchObject({
      verbosity: 2,
      progress: 'plain',
      concurrency: 4,
      limitRate: 1024 * 1024,
      chunkSize: 5 * 1024 * 1024,
      insecureRegistries: ['10.0.0.0/8'],
      plainHttp: ['a.example'],
      tlsSkipVerify: ['b.example:5000'],
      caFile: '/folder/ca.pem',
      authfile: '/auth.json',
      sourceCredentials: { username: 'me', from: { kind: 'file', path: '/folder/secret' } },
      destinationCredentials: undefined,
      timeoutMs: 5000,
      retries: 0,
    });
  });

  test('parseSettings() adds insecure registries from the environment and refuses invalid ones', () => {
    expect(
      parseSettings({}, { ...OUTSIDE, env: { REGI_INSECURE_REGISTRIES: 'a:5000, 10.0.0.0/8' } })
        .insecureRegistries,
    ).toEqual(['a:5000', '10.0.0.0/8']);
    expect(() =>
      parseSettings({}, { ...OUTSIDE, env: { REGI_INSECURE_REGISTRIES: 'http://a' } }),
    ).toThrow('"REGI_INSECURE_REGISTRIES"');
  });

  test('parseSettings() disables progress with --quiet', () => {
    expect(parseSettings({ quiet: true, progress: 'plain' }, OUTSIDE).progress).toBe('none');
  });
});

describe('wantsColor()', () => {
  const [terminal, pipe] = [{ isTTY: true }, { isTTY: false }];

  test.each([
    // The flag decides, whatever the environment says.
    ['always', { NO_COLOR: '1', TERM: 'dumb' }, pipe, true],
    ['never', { FORCE_COLOR: '1' }, terminal, false],
    // Then FORCE_COLOR, as chalk and Node read it, also where NO_COLOR is set.
    ['auto', { FORCE_COLOR: '1' }, pipe, true],
    [undefined, { FORCE_COLOR: '', NO_COLOR: '1' }, pipe, true],
    [undefined, { FORCE_COLOR: '0' }, terminal, false],
    [undefined, { FORCE_COLOR: 'false' }, terminal, false],
    // Then NO_COLOR; empty, it is not set.
    [undefined, { NO_COLOR: '1' }, terminal, false],
    [undefined, { NO_COLOR: '' }, terminal, true],
    // Then the stream.
    [undefined, {}, terminal, true],
    [undefined, {}, pipe, false],
    [undefined, { TERM: 'dumb' }, terminal, false],
    // A CI job at a terminal has colours where its log shows them.
    [undefined, { CI: 'true' }, terminal, false],
    [undefined, { CI: 'true', GITHUB_ACTIONS: 'true' }, terminal, true],
    [undefined, { CI: 'true', GITLAB_CI: 'true' }, terminal, true],
    [undefined, { CI: 'true', GITHUB_ACTIONS: 'true' }, pipe, false],
  ] as const)('wantsColor() with --color %s, %j and %j is %j', (flag, env, stream, wanted) => {
    expect(wantsColor(flag, env, stream)).toBe(wanted);
  });
});
