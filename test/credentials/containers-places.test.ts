import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createContainersPlacesSource } from '../../src/credentials/containers-places.ts';
import type { CredentialSource } from '../../src/credentials/credential.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * A home whose auth.json has the login "file" for registry.example, and the helpers `full`, which
 * has the login "full" for every key, and `empty`. No other helper is installed.
 */
function setUp(helpers: readonly string[] | undefined, authfile?: string) {
  const home = temporaryFolder('home');
  mkdirSync(join(home, '.config', 'containers'), { recursive: true });
  const auth = Buffer.from('file:secret').toString('base64');
  writeFileSync(
    join(home, '.config', 'containers', 'auth.json'),
    JSON.stringify({ auths: { 'registry.example': { auth } } }),
  );
  const asked: string[] = [];
  const source: CredentialSource = createContainersPlacesSource({
    env: {},
    home,
    cwd: home,
    authfile,
    warn: () => undefined,
    containersHelpers: async () => helpers,
    async runHelper(name, verb, input) {
      asked.push(`${name} ${verb} ${input}`);
      if (name === 'full')
        return { kind: 'exited', status: 0, stdout: '{"Username":"full","Secret":"s"}' };
      return name === 'empty'
        ? { kind: 'exited', status: 1, stdout: 'credentials not found in native keychain\n' }
        : { kind: 'missing' };
    },
  });
  const user = async (host = 'registry.example'): Promise<string | undefined> => {
    const found = await source(host, 'team/app');
    return found?.credential.kind === 'password' ? found.credential.username : undefined;
  };
  return { user, asked };
}

describe('C5: createContainersPlacesSource()', () => {
  test.each([
    [undefined, 'file'],
    [['containers-auth.json'], 'file'],
    [['full', 'containers-auth.json'], 'full'],
    [['containers-auth.json', 'full'], 'file'],
    [['empty', 'containers-auth.json'], 'file'],
    [['empty', 'full'], 'full'],
    [['empty'], undefined],
  ])('with the helpers %j finds the login of %s', async (helpers, expected) => {
    expect(await setUp(helpers).user()).toBe(expected);
  });

  test('asks a helper for the whole registry, as podman does', async () => {
    const { user, asked } = setUp(['full']);
    await user('docker.io');
    expect(asked).toEqual(['full get docker.io']);
  });

  test('continues after a helper that is not installed', async () => {
    expect(await setUp(['gone', 'containers-auth.json']).user()).toBe('file');
  });

  test('fails for a helper that is not installed, when no other place has a login', async () => {
    await expect(
      setUp(['gone', 'empty', 'containers-auth.json']).user('other.example'),
    ).rejects.toThrow('Cannot ask credential helper "docker-credential-gone"');
  });

  test('reads no auth.json of podman when another file is named', async () => {
    expect(await setUp(['containers-auth.json'], 'mine.json').user()).toBeUndefined();
    expect(await setUp(['containers-auth.json', 'full'], 'mine.json').user()).toBe('full');
  });
});
