import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import type { Credential, CredentialSource } from '../../../src/credentials/credential.ts';
import { firstOf } from '../../../src/credentials/chain.ts';
import { createDockerAuthVariableSource } from '../../../src/credentials/environment.ts';
import { createDockerSource } from '../../../src/credentials/docker/source.ts';
import type { ProgramResult } from '../../../src/credentials/ask-program.ts';
import type { RunHelper } from '../../../src/credentials/docker/helper.ts';
import { InvalidConfigError } from '../../../src/errors.ts';
import table from '../../tables/docker-config.json' with { type: 'json' };
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Expected {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

interface Row {
  readonly name: string;
  /** A string is raw text; null is no file. */
  readonly config: unknown;
  readonly host: string;
  readonly helpers?: Readonly<
    Record<string, Readonly<Record<string, readonly [string, string | number]>>>
  >;
  readonly env?: Readonly<Record<string, string>>;
  readonly expect?: Expected | null;
  readonly loadError?: string;
  readonly error?: string;
  readonly warning?: string;
  readonly helperAsked?: readonly string[];
}

const rows = table.docker as unknown as readonly Row[];

interface Case {
  readonly source: CredentialSource;
  readonly warnings: string[];
  readonly asked: string[];
  readonly home: string;
}

async function setUp(row: Pick<Row, 'config' | 'helpers' | 'env'>): Promise<Case> {
  const home = temporaryFolder();
  await mkdir(join(home, '.docker'));
  if (row.config !== null)
    await writeFile(
      join(home, '.docker', 'config.json'),
      typeof row.config === 'string' ? row.config : JSON.stringify(row.config),
    );
  const warnings: string[] = [];
  const asked: string[] = [];
  const warn = (message: string, hint = ''): void => void warnings.push(`${message}\n${hint}`);
  const env = row.env ?? {};
  const docker = createDockerSource({
    env,
    home,
    warn,
    runHelper: fakeHelpers(row.helpers ?? {}, asked),
  });
  return {
    source: firstOf([createDockerAuthVariableSource(env, warn), docker]),
    warnings,
    asked,
    home,
  };
}

function fakeHelpers(helpers: NonNullable<Row['helpers']>, asked: string[]): RunHelper {
  return async (name, _verb, input): Promise<ProgramResult> => {
    const helper = helpers[name];
    if (helper === undefined) return { kind: 'missing' };
    asked.push(input);
    const raw = helper['__raw'];
    if (raw !== undefined) return { kind: 'exited', status: Number(raw[1]), stdout: raw[0] };
    const login = helper[input];
    if (login === undefined)
      return { kind: 'exited', status: 1, stdout: 'credentials not found in native keychain\n' };
    return {
      kind: 'exited',
      status: 0,
      stdout: JSON.stringify({ ServerURL: input, Username: login[0], Secret: login[1] }),
    };
  };
}

/**
 * regi holds one credential where docker holds members: a registry token wins, then an identity
 * token, as docker uses them.
 */
function toCredential({
  username,
  password = '',
  identitytoken,
  registrytoken,
}: Expected): Credential {
  if (registrytoken !== undefined) return { kind: 'registry-token', token: registrytoken };
  if (identitytoken !== undefined)
    return {
      kind: 'identity-token',
      token: identitytoken,
      ...(username !== undefined && { username }),
    };
  return { kind: 'password', username: username ?? '', password };
}

describe('createDockerSource() does as docker:', () => {
  test.each(rows.filter((row) => row.loadError === undefined && row.error === undefined))(
    '$name',
    async (row) => {
      const { source, warnings, asked } = await setUp(row);
      const found = await source(row.host, undefined);
      expect(found?.credential).toEqual(row.expect ? toCredential(row.expect) : undefined);
      expect(asked).toEqual(row.helperAsked ?? []);
      expect(warnings.length).toBe(row.warning === undefined ? 0 : 1);
    },
  );

  test.each(rows.filter((row) => row.error !== undefined))('$name', async (row) => {
    const { source } = await setUp(row);
    await expect(source(row.host, undefined)).rejects.toThrow(
      /^Cannot ask credential helper "docker-credential-[a-z-]+": /,
    );
  });
});

describe('createDockerSource() skips what makes docker refuse the whole file:', () => {
  const isJson = (row: Row): boolean => typeof row.config !== 'string';

  test.each(rows.filter((row) => row.loadError !== undefined && isJson(row)))(
    '$name',
    async (row) => {
      const { source, warnings } = await setUp(row);
      const found = await source(row.host, undefined);
      expect(found?.credential).toEqual(
        row.name.includes('another host')
          ? { kind: 'password', username: 'alice', password: 'pw' }
          : undefined,
      );
      expect(warnings).toEqual([
        expect.stringMatching(
          /^Cannot use the entry "(other.local|registry.local:5000)" of ~\/.docker\/config.json: expected .*\nreplace it: regi login /,
        ),
      ]);
    },
  );

  test.each(rows.filter((row) => row.loadError !== undefined && !isJson(row)))(
    'but not $name',
    async (row) => {
      const { source } = await setUp(row);
      await expect(source(row.host, undefined)).rejects.toThrow(
        'Cannot read "~/.docker/config.json": expected JSON',
      );
    },
  );
});

describe('createDockerSource()', () => {
  const config = { auths: { 'registry.local:5000': { auth: 'YWxpY2U6czNjcmV0' } } };

  test('names the file of a credential', async () => {
    const { source } = await setUp({ config });
    expect((await source('registry.local:5000', undefined))?.origin).toBe('~/.docker/config.json');
  });

  test('names the helper of a credential', async () => {
    const { source } = await setUp({
      config: { credsStore: 'pass' },
      helpers: { pass: { 'a.example': ['u', 's'] } },
    });
    expect((await source('a.example', undefined))?.origin).toBe('docker-credential-pass');
  });

  test('reads $DOCKER_CONFIG/config.json instead', async () => {
    const folder = temporaryFolder();
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const source = createDockerSource({
      env: { DOCKER_CONFIG: folder },
      home: '/nowhere',
      warn: () => undefined,
    });
    expect(await source('registry.local:5000', undefined)).toMatchObject({
      origin: join(folder, 'config.json'),
    });
  });

  test('C6: createDockerSource() reads names in any case, as docker does', async () => {
    const { source } = await setUp({
      config: {
        Auths: { 'a.example': { Auth: 'YWxpY2U6czNjcmV0' } },
        credhelpers: { 'a.example': '', 'b.example': 'one' },
        credSstore: 'pass',
      },
      helpers: { one: { 'b.example': ['b', 's'] }, pass: { 'c.example': ['c', 's'] } },
    });
    const users = ['a.example', 'b.example', 'c.example'].map(async (host) => {
      const found = await source(host, undefined);
      return found?.credential.kind === 'password' ? found.credential.username : undefined;
    });
    expect(await Promise.all(users)).toEqual(['alice', 'b', 'c']);
  });

  test('C6: createDockerSource() says it when DOCKER_CONFIG names a file', async () => {
    const path = join(temporaryFolder(), 'config.json');
    await writeFile(path, JSON.stringify(config));
    const options = { env: { DOCKER_CONFIG: path }, home: '/nowhere', warn: () => undefined };
    await expect(createDockerSource(options)('a', undefined)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: `Cannot use DOCKER_CONFIG: expected a folder with a config.json, and "${path}" is a file`,
      hint: `name its folder: DOCKER_CONFIG=${dirname(path)}`,
    });
  });

  test('C6: createDockerSource() takes DOCKER_CONFIG=/dev/null for no configuration', async () => {
    const options = {
      env: { DOCKER_CONFIG: '/dev/null' },
      home: '/nowhere',
      warn: () => undefined,
    };
    expect(await createDockerSource(options)('a', undefined)).toBeUndefined();
  });

  test('asks a helper once for each host', async () => {
    const { source, asked } = await setUp({
      config: { credsStore: 'pass' },
      helpers: { pass: { 'a.example': ['u', 's'] } },
    });
    await Promise.all([
      source('a.example', 'x'),
      source('a.example', 'y'),
      source('b.example', 'x'),
    ]);
    await source('a.example', 'z');
    expect(asked).toEqual(['a.example', 'b.example']);
  });

  test('does not fall back to the file when the helper fails', async () => {
    const { source } = await setUp({
      config: { ...config, credHelpers: { 'registry.local:5000': 'gone' } },
    });
    await expect(source('registry.local:5000', undefined)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('"docker-credential-gone"') as string,
    });
  });

  test.each([
    '{"auths": "s3cret"}',
    '{"auths": {"a": {"auth": "s3cret"',
    's3cret',
    '["s3cret"]',
    '{"credHelpers": {"s3cret": 1}}',
  ])('quotes nothing of a malformed file: %s', async (text) => {
    const { source } = await setUp({ config: text });
    const error = await source('a', undefined).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidConfigError);
    expect(String(error)).not.toContain('s3cret');
    expect(error).not.toHaveProperty('cause');
  });

  test('warns of a malformed entry without its content', async () => {
    const { source, warnings } = await setUp({
      config: {
        auths: {
          'https://bob:s3cret@a.example/v1/': { auth: 's3cret!' },
          'b.example': { auth: 5 },
        },
      },
    });
    expect(await source('a.example', undefined)).toBeUndefined();
    expect(warnings.length).toBe(2);
    expect(warnings.join()).not.toContain('s3cret');
  });

  test('C6: createDockerSource() says it when config.json is a folder', async () => {
    const folder = temporaryFolder();
    await mkdir(join(folder, 'config.json'));
    const source = createDockerSource({
      env: { DOCKER_CONFIG: folder },
      home: '/nowhere',
      warn: () => undefined,
    });
    await expect(source('a', undefined)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: `Cannot read "${join(folder, 'config.json')}": expected a file, and it is a folder`,
      hint: 'move it away',
    });
  });

  test('fails when the file is over the bound', async () => {
    const { source } = await setUp({ config: ' '.repeat(1024 * 1024 + 1) });
    await expect(source('a', undefined)).rejects.toThrow('expected at most 1048576 bytes');
  });
});
