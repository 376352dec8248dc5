import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import {
  containersAuthFiles,
  createContainersSource,
  namedAuthFile,
} from '../../src/credentials/containers-auth.ts';
import { configFile } from '../../src/credentials/docker/config.ts';
import type { CredentialSource } from '../../src/credentials/credential.ts';
import table from '../tables/docker-config.json' with { type: 'json' };
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Row {
  readonly name: string;
  readonly config: unknown;
  /** `host/namespace/repository`. */
  readonly key: string;
  readonly expect: {
    readonly username?: string;
    readonly password?: string;
    readonly identitytoken?: string;
    readonly helper?: string;
    readonly helperAsked?: string;
  } | null;
  readonly warning?: string;
  readonly error?: string;
  /** `~/.dockercfg`. */
  readonly legacyFormat?: boolean;
}

const rows = table.containers as readonly Row[];

function setUp(
  config: unknown,
  isFlat = false,
): { readonly source: CredentialSource; readonly warnings: string[]; readonly asked: string[] } {
  const home = temporaryFolder();
  const path = join(home, 'auth.json');
  if (config !== null) writeFileSync(path, JSON.stringify(config));
  const warnings: string[] = [];
  const asked: string[] = [];
  const source = createContainersSource({
    env: {},
    home,
    file: { ...configFile(path, home), isFlat },
    warn: (message) => void warnings.push(message),
    async runHelper(name, _verb, input) {
      asked.push(`${name} ${input}`);
      return { kind: 'exited', status: 0, stdout: '{"Username":"from","Secret":"helper"}' };
    },
  });
  return { source, warnings, asked };
}

describe('createContainersSource() does as podman and skopeo:', () => {
  test.each(rows)('$name', async (row) => {
    const { source, asked } = setUp(row.config, row.legacyFormat);
    const [host = '', ...path] = row.key.split('/');
    const found = await source(host, path.length === 0 ? undefined : path.join('/'));
    if (row.expect?.helper !== undefined) {
      expect(asked).toEqual([`${row.expect.helper} ${row.expect.helperAsked}`]);
      expect(found?.credential).toEqual({ kind: 'password', username: 'from', password: 'helper' });
      return;
    }
    expect(asked).toEqual([]);
    expect(found?.credential).toEqual(wanted(row));
  });
});

describe('createContainersSource()', () => {
  test.each([
    ['quay.io', 'https://quay.io/v1/'],
    ['docker.io', 'index.docker.io'],
  ])('C4: createContainersSource() prefers the key %s to %s', async (exact, alias) => {
    const entry = (user: string): object => ({
      auth: Buffer.from(`${user}:p`).toString('base64'),
    });
    for (const keys of [
      [exact, alias],
      [alias, exact],
    ]) {
      const auths = Object.fromEntries(keys.map((key) => [key, entry(key)]));
      const { source } = setUp({ auths });
      expect(await source(exact, 'team/app')).toMatchObject({ credential: { username: exact } });
    }
  });

  test('fails when the named file is absent', async () => {
    const source = createContainersSource({
      env: {},
      home: '/',
      warn: () => undefined,
      file: configFile(join(temporaryFolder(), 'gone.json'), '/'),
      isRequired: true,
    });
    await expect(source('a', undefined)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });

  test('warns of a skipped entry', async () => {
    const { source, warnings } = setUp({ auths: { 'a.example': { auth: '!!!' } } });
    expect(await source('a.example', undefined)).toBeUndefined();
    expect(warnings).toEqual([
      'Cannot use the entry "a.example" of ~/auth.json: expected "auth" to be base64 with padding',
    ]);
  });
});

describe('containersAuthFiles()', () => {
  const shownOf = (env: Readonly<Record<string, string>>): readonly string[] =>
    containersAuthFiles({ env, home: '/home/a' }).map(({ shown }) => shown);

  test('begins with the folder of this session, and ends with the old file of docker', () => {
    expect(shownOf({ XDG_RUNTIME_DIR: '/run/user/1' })).toEqual([
      '/run/user/1/containers/auth.json',
      '~/.config/containers/auth.json',
      '~/.dockercfg',
    ]);
  });

  test('C2: containersAuthFiles() begins with the file below /run when there is no folder of the session', () => {
    const place = { env: {}, home: '/home/a', linuxUid: 0 };
    const paths = (env: Readonly<Record<string, string>>): readonly string[] =>
      containersAuthFiles({ ...place, env }).map(({ path }) => path);
    expect(paths({})).toEqual([
      '/run/containers/0/auth.json',
      '/home/a/.config/containers/auth.json',
      '/home/a/.dockercfg',
    ]);
    expect(paths({ XDG_RUNTIME_DIR: '/run/user/0' })[0]).toBe('/run/user/0/containers/auth.json');
    expect(paths({ XDG_RUNTIME_DIR: '/run/user/0' })).toHaveLength(3);
  });

  test('uses XDG_CONFIG_HOME', () => {
    expect(shownOf({ XDG_CONFIG_HOME: '/etc/a' })[0]).toBe('/etc/a/containers/auth.json');
  });
});

describe('namedAuthFile()', () => {
  test('prefers the flag to the variable', () => {
    const place = { home: '/home/a', cwd: '/here' };
    const env = { REGISTRY_AUTH_FILE: '/y.json' };
    expect(namedAuthFile({ ...place, authfile: 'x.json', env })?.path).toBe('/here/x.json');
    expect(namedAuthFile({ ...place, env })?.path).toBe('/y.json');
    expect(namedAuthFile({ ...place, env: { REGISTRY_AUTH_FILE: '' } })).toBeUndefined();
  });
});

function wanted({ expect: expected }: Row): object | undefined {
  if (expected === null) return undefined;
  const { username, password = '', identitytoken } = expected;
  return identitytoken === undefined
    ? { kind: 'password', username, password }
    : { kind: 'identity-token', token: identitytoken, username };
}
