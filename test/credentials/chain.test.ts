import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createCredentialChain, firstOf } from '../../src/credentials/chain.ts';
import type { CredentialSource } from '../../src/credentials/credential.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const nothing: CredentialSource = async () => undefined;
const failing: CredentialSource = () => Promise.reject(new Error('locked'));
const found: CredentialSource = async (host) => ({
  credential: { kind: 'registry-token', token: 't' },
  origin: host,
});

describe('firstOf()', () => {
  test('returns the first credential and asks no further source', async () => {
    expect(await firstOf([nothing, found, failing])('a', undefined)).toMatchObject({ origin: 'a' });
  });

  test('fails when a source fails', async () => {
    await expect(firstOf([failing, found])('a', undefined)).rejects.toThrow('locked');
  });

  test('finds nothing when no source has a credential', async () => {
    expect(await firstOf([nothing])('a', undefined)).toBeUndefined();
  });
});

describe('createCredentialChain()', () => {
  test('C6: createCredentialChain() reads an absent REGISTRY_AUTH_FILE as empty, and refuses an absent --authfile', async () => {
    const home = temporaryFolder();
    const options = { env: {}, home, cwd: home, warn: () => undefined };
    const variable = { ...options, env: { REGISTRY_AUTH_FILE: join(home, 'gone.json') } };
    expect(await createCredentialChain(variable)('a', undefined)).toBeUndefined();
    const flag = createCredentialChain({ ...options, authfile: 'gone.json' });
    await expect(flag('a', undefined)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });

  test('asks flag, REGI_*, DOCKER_AUTH_CONFIG and the docker config in this order', async () => {
    const home = temporaryFolder();
    await mkdir(join(home, '.docker'));
    const auths = (user: string): string =>
      JSON.stringify({
        auths: { 'a.example': { auth: Buffer.from(`${user}:p`).toString('base64') } },
      });
    await writeFile(join(home, '.docker', 'config.json'), auths('file'));
    const variable = { DOCKER_AUTH_CONFIG: auths('variable') };
    const regi = {
      ...variable,
      REGI_REGISTRY: 'a.example',
      REGI_USERNAME: 'regi',
      REGI_PASSWORD: 'p',
    };
    const pointer = {
      password: { username: 'flag', from: { kind: 'env', name: 'REGI_PASSWORD' } },
      registry: 'a.example',
    } as const;
    const base = { home, cwd: home, warn: () => undefined };
    const chains = [
      createCredentialChain({ ...base, env: regi, pointer }),
      createCredentialChain({ ...base, env: regi }),
      createCredentialChain({ ...base, env: variable }),
      createCredentialChain({ ...base, env: {} }),
    ];
    const origins = await Promise.all(
      chains.map(async (chain) => (await chain('a.example', undefined))?.origin),
    );
    expect(origins).toEqual([
      'the variable REGI_PASSWORD',
      'REGI_USERNAME and REGI_PASSWORD',
      'DOCKER_AUTH_CONFIG',
      '~/.docker/config.json',
    ]);
  });
});
