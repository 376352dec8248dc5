import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import {
  startFakeRegistry,
  type FakeAuth,
  type FakeRegistry,
} from '../support/registries/fake-registry.ts';
import { makeIndex } from '../support/images/images.ts';
import { runMain, type MainResult } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Everything that must not come out anywhere, in each form that it travels in. */
const CANARY = {
  password: 'canary-P4ssw0rd-of-alice',
  basic: Buffer.from('alice:canary-P4ssw0rd-of-alice').toString('base64'),
  token: 'canary-t0ken',
  userinfo: 'canary-us3rinfo',
  signature: 'canary-s1gnature',
  proxy: 'canary-pr0xy',
  other: 'canary-0ther-entry',
  otherBasic: Buffer.from('bob:canary-0ther-entry').toString('base64'),
} as const;

const IMAGE = makeIndex({ layers: [50_000] });

const AUTHS: Readonly<Record<string, FakeAuth>> = {
  basic: { kind: 'basic', users: { alice: CANARY.password } },
  bearer: {
    kind: 'bearer',
    users: { alice: CANARY.password },
    tokenOf: (serial) => `${CANARY.token}-${serial}`,
  },
};

interface Planted {
  readonly registry: FakeRegistry;
  readonly home: string;
  readonly cwd: string;
}

/**
 * A registry that wants a login, and a person whose login is in docker's config and nowhere else.
 */
async function plant(auth: FakeAuth): Promise<Planted> {
  const registry = await startFakeRegistry({ auth });
  await IMAGE.pushAll(registry.place.open('app'), 'v1');
  const home = temporaryFolder('home');
  mkdirSync(join(home, '.docker'));
  const config = {
    auths: {
      [registry.host]: { auth: CANARY.basic },
      'elsewhere.example': { auth: CANARY.otherBasic, identitytoken: CANARY.other },
    },
  };
  writeFileSync(join(home, '.docker', 'config.json'), JSON.stringify(config), { mode: 0o600 });
  return { registry, home, cwd: temporaryFolder('cwd') };
}

/** The registry repeats each request in every part of the response that a client reads. */
function echo(registry: FakeRegistry, times = 200): void {
  registry.fault({
    match: ({ headers, path }) => headers.authorization !== undefined && path.startsWith('/v2/'),
    times,
    action: {
      kind: 'respond-with',
      respond: ({ headers }) => {
        const sent = headers.authorization ?? '';
        const decoded = Buffer.from(sent.replace(/^\w+ /, ''), 'base64').toString('latin1');
        const said = `refused ${sent} which is ${sent.replace(/^\w+ /, '')} and ${decoded}`;
        return {
          status: 400,
          headers: {
            warning: `299 - "${said}"`,
            'x-echo': said,
            'content-type': 'application/json',
          },
          body: Buffer.from(
            JSON.stringify({ errors: [{ code: 'DENIED', message: said, detail: said }] }),
          ),
        };
      },
    },
  });
}

function leaksIn({ stdout, stderr }: MainResult): readonly string[] {
  return Object.entries(CANARY)
    .filter(([, secret]) => stdout.includes(secret) || stderr.includes(secret))
    .map(([name]) => name);
}

/**
 * Files below a folder that hold one of the canaries, but for the one that they were planted in.
 */
function leaksBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.endsWith('.docker/config.json'))
    .filter((path) => Object.values(CANARY).some((secret) => readFileSync(path).includes(secret)));
}

const COMMANDS: readonly (readonly [name: string, argv: (host: string) => readonly string[]])[] = [
  ['copy', (host) => ['copy', `${host}/app:v1`, `${host}/other:v1`]],
  ['pull', (host) => ['pull', `${host}/app:v1`]],
  ['export', (host) => ['export', `${host}/app:v1`, '-o', 'out.tar']],
  ['inspect', (host) => ['inspect', `${host}/app:v1`]],
  ['verify', (host) => ['verify', `${host}/app:v1`]],
  ['tags list', (host) => ['tags', 'list', `${host}/app`]],
  ['repos list', (host) => ['repos', 'list', host]],
  ['manifest get', (host) => ['manifest', 'get', `${host}/app:v1`]],
  ['tag', (host) => ['tag', `${host}/app:v1`, 'v2']],
  ['referrers', (host) => ['referrers', `${host}/app:v1`]],
  ['files', (host) => ['files', `${host}/app:v1`]],
  ['diff', (host) => ['diff', `${host}/app:v1`, `${host}/app:v2`]],
  ['history', (host) => ['history', `${host}/app:v1`]],
  ['config', (host) => ['config', `${host}/app:v1`]],
  ['digest', (host) => ['digest', `${host}/app:v1`]],
  ['tags delete', (host) => ['tags', 'delete', `${host}/app:v9`]],
  ['push', (host) => ['push', `${host}/app:v1`]],
  ['doctor', (host) => ['doctor', host]],
  ['auth list', () => ['auth', 'list']],
  ['logout', () => ['logout', 'elsewhere.example']],
];

const FORMS: readonly (readonly string[])[] = [
  [],
  ['-vv'],
  ['--json'],
  ['--progress', 'json'],
  ['-q'],
];

describe.each(Object.entries(AUTHS))('with %s authentication no secret is printed', (_, auth) => {
  let planted: Planted;
  beforeAll(async () => {
    planted = await plant(auth);
  });

  test.each(COMMANDS)('of %s, in any form', async (_name, argv) => {
    const { registry, home, cwd } = planted;
    for (const form of FORMS) {
      const result = await runMain([...argv(registry.host), ...form], { home, cwd });
      expect({ form, leaks: leaksIn(result) }).toEqual({ form, leaks: [] });
    }
    expect([...leaksBelow(home), ...leaksBelow(cwd)]).toEqual([]);
  });

  test.each(COMMANDS)('of %s, when the registry echoes the request', async (_name, argv) => {
    const { registry, home, cwd } = planted;
    echo(registry);
    for (const form of FORMS) {
      const result = await runMain([...argv(registry.host), ...form], { home, cwd });
      expect({ form, leaks: leaksIn(result) }).toEqual({ form, leaks: [] });
    }
    registry.forgetFaults();
    expect([...leaksBelow(home), ...leaksBelow(cwd)]).toEqual([]);
  });
});

describe('no secret in a URL is printed', () => {
  test.each([
    [
      'of a redirect with a user',
      `http://u:${CANARY.userinfo}@storage.example/x?sig=${CANARY.signature}`,
    ],
    [
      'of a redirect to another scheme',
      `ftp://u:${CANARY.userinfo}@storage.example/x?sig=${CANARY.signature}`,
    ],
    ['of a redirect to nobody', `http://127.0.0.1:1/x?X-Amz-Signature=${CANARY.signature}`],
    ['of a redirect that is no URL', `http://u:${CANARY.userinfo}@[/?sig=${CANARY.signature}`],
  ])('%s', async (_, to) => {
    const registry = await startFakeRegistry();
    await IMAGE.pushAll(registry.place.open('app'), 'v1');
    registry.fault({
      match: { method: 'GET', path: /blobs/ },
      times: 99,
      action: { kind: 'redirect', to },
    });
    for (const form of FORMS)
      expect(
        leaksIn(await runMain(['pull', '--retry', '1', `${registry.host}/app:v1`, ...form])),
      ).toEqual([]);
  });

  test.each([
    `http://u:${CANARY.userinfo}@x.example/u?_state=${CANARY.signature}`,
    `/v2/app/blobs/uploads/1?_state=${CANARY.signature}`,
  ])('of an upload at %s', async (location) => {
    const [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
    await IMAGE.pushAll(from.place.open('app'), 'v1');
    to.fault({
      match: { method: 'POST' },
      times: 99,
      action: { kind: 'headers', headers: { location } },
    });
    const home = temporaryFolder('home');
    for (const form of FORMS)
      expect(
        leaksIn(
          await runMain(
            ['copy', '--retry', '1', `${from.host}/app:v1`, `${to.host}/app:v1`, ...form],
            { home },
          ),
        ),
      ).toEqual([]);
    expect(leaksBelow(home)).toEqual([]);
  });

  test.each([
    `socks4://u:${CANARY.proxy}@127.0.0.1:1`,
    `socks5://u:${CANARY.proxy}@127.0.0.1:1`,
    `http://u:${CANARY.proxy}@127.0.0.1:1`,
    `http://u:${CANARY.proxy}@[`,
  ])('of the proxy %s', async (proxy) => {
    for (const form of FORMS) {
      const result = await runMain(['digest', '--retry', '0', 'registry.example/app:v1', ...form], {
        env: { HTTPS_PROXY: proxy },
      });
      expect({ leaks: leaksIn(result), failed: result.status !== 0 }).toEqual({
        leaks: [],
        failed: true,
      });
    }
  });

  test('of a reference with a user', async () => {
    expect(leaksIn(await runMain(['digest', `u:${CANARY.userinfo}@registry.example/app`]))).toEqual(
      [],
    );
    expect(
      leaksIn(await runMain(['digest', `https://u:${CANARY.userinfo}@registry.example/app`])),
    ).toEqual([]);
  });
});

test('a password that is refused is not repeated', async () => {
  const registry = await startFakeRegistry({
    auth: { kind: 'basic', users: { alice: 'another' } },
  });
  echo(registry);
  for (const form of FORMS) {
    const result = await runMain(
      ['login', registry.host, '-u', 'alice', '--password-stdin', ...form],
      { stdin: `${CANARY.password}\n` },
    );
    expect({ leaks: leaksIn(result), failed: result.status !== 0 }).toEqual({
      leaks: [],
      failed: true,
    });
  }
});
