import { beforeAll, describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { homeWith, regiAtHome } from '../support/cli/home.ts';
import { tinyLayout } from '../support/images/tiny-layout.ts';

const NAMES = ['registry.test', 'mirror.test', 'other.test', 'registry.local'];
const USERS = { user: 'canary-password' };

async function start(
  options: Parameters<typeof startFakeRegistry>[0] = {},
): Promise<FakeRegistry & { as(name: string): string }> {
  const registry = await startFakeRegistry({ allowedHosts: NAMES, ...options });
  return { ...registry, as: (name) => registry.host.replace('127.0.0.1', name) };
}

type Named = Awaited<ReturnType<typeof start>>;

/** A registries.conf with these mirrors, all of them over plain http. */
function conf(registry: string, mirrors: readonly string[], more = ''): Record<string, string> {
  const tables = mirrors
    .map((location) => `[[registry.mirror]]\nlocation = "${location}"\ninsecure = true\n`)
    .join('');
  return {
    '.config/containers/registries.conf': `[[registry]]\nlocation = "${registry}"\ninsecure = true\n${more}\n${tables}`,
  };
}

async function seed(registry: Named, ...names: readonly string[]): Promise<void> {
  for (const name of names)
    expect(await regiAtHome(['copy', tinyLayout(name), `${registry.host}/${name}`])).toMatchObject({
      status: 0,
    });
  registry.forgetRequests();
}

describe('mirrors', () => {
  let upstream: Named;
  let mirror: Named;

  beforeAll(async () => {
    [upstream, mirror] = await Promise.all([start(), start()]);
    await seed(upstream, 'app:1', 'only/here:1');
    await seed(mirror, 'app:1', 'cache/app:1');
  });

  test('a source is read from its mirror, and -v says so', async () => {
    const home = homeWith(conf(upstream.as('registry.test'), [mirror.as('mirror.test')]));
    upstream.forgetRequests();
    const answer = await regiAtHome(
      ['-v', 'manifest', 'get', `${upstream.as('registry.test')}/app:1`],
      { home },
    );
    expect(answer.status).toBe(0);
    expect(answer.stderr).toContain(
      `"${upstream.as('registry.test')}/app" is read from its mirror "${mirror.as('mirror.test')}/app"`,
    );
    expect(upstream.requests).toEqual([]);
  });

  test('skips a mirror without the image, and one that does not respond', async () => {
    const home = homeWith(
      conf(upstream.as('registry.test'), ['mirror.test:1', mirror.as('mirror.test')]),
    );
    const answer = await regiAtHome(['digest', `${upstream.as('registry.test')}/only/here:1`], {
      home,
    });
    expect(answer.status).toBe(0);
    expect(answer.stderr).toMatch(
      /^regi: warning: Skipping "mirror\.test:1\/only\/here", .*connection refused\n/,
    );
    expect(answer.stderr).not.toContain(mirror.as('mirror.test'));
  });

  test('a mirror that fails is skipped', async () => {
    const broken = await start({
      faults: [{ match: {}, action: { kind: 'respond', status: 500 }, times: 100 }] as never,
    });
    const home = homeWith(conf(upstream.as('registry.test'), [broken.as('mirror.test')]));
    expect(
      await regiAtHome(['digest', '--retry', '0', `${upstream.as('registry.test')}/app:1`], {
        home,
      }),
    ).toMatchObject({ status: 0 });
  });

  test('the mirrors of config.yaml take the place of those of registries.conf', async () => {
    const registry = upstream.as('registry.test');
    const yaml = `hosts:\n  ${registry}:\n    insecure: true\n    mirrors:\n      - location: ${mirror.as('mirror.test')}/cache\n        insecure: true\n`;
    const home = homeWith({
      ...conf(registry, ['mirror.test:1']),
      '.config/regi/config.yaml': yaml,
    });
    const answer = await regiAtHome(['-v', 'digest', `${registry}/app:1`], { home });
    expect(answer.status).toBe(0);
    expect(answer.stderr).toContain(`its mirror "${mirror.as('mirror.test')}/cache/app"`);
    expect(answer.stderr).not.toContain('passed over');
  });

  test('a location replaces a prefix', async () => {
    const files = {
      '.config/containers/registries.conf': `[[registry]]\nprefix = "other.test/team"\nlocation = "${mirror.as('mirror.test')}/cache"\ninsecure = true\n`,
    };
    const answer = await regiAtHome(['digest', 'other.test/team/app:1'], { home: homeWith(files) });
    expect(answer).toMatchObject({ status: 0, stderr: '' });
  });

  test('writes and lists never go to a mirror', async () => {
    const home = homeWith(conf(upstream.as('registry.test'), [mirror.as('mirror.test')]));
    mirror.forgetRequests();
    expect(
      await regiAtHome(
        ['copy', tinyLayout('written'), `${upstream.as('registry.test')}/written:1`],
        { home },
      ),
    ).toMatchObject({ status: 0 });
    expect(
      await regiAtHome(['tags', 'list', `${upstream.as('registry.test')}/written`], { home }),
    ).toMatchObject({ status: 0, stdout: '1\n' });
    expect(mirror.requests).toEqual([]);
  });

  test('mirrors for digests are not asked for a tag', async () => {
    const home = homeWith(
      conf(
        upstream.as('registry.test'),
        [mirror.as('mirror.test')],
        'mirror-by-digest-only = true',
      ),
    );
    mirror.forgetRequests();
    const { stdout } = await regiAtHome(['digest', `${upstream.as('registry.test')}/app:1`], {
      home,
    });
    expect(mirror.requests).toEqual([]);
    expect(
      await regiAtHome(['digest', `${upstream.as('registry.test')}/app@${stdout.trim()}`], {
        home,
      }),
    ).toMatchObject({ status: 0 });
    expect(mirror.requests).not.toEqual([]);
  });

  test('a blocked registry is neither read nor written', async () => {
    const registry = upstream.as('registry.test');
    const home = homeWith({
      '.config/containers/registries.conf': `[[registry]]\nlocation = "${registry}"\nblocked = true\n`,
    });
    for (const args of [
      ['digest', `${registry}/app:1`],
      ['copy', tinyLayout(), `${registry}/app:2`],
      ['tags', 'list', `${registry}/app`],
    ]) {
      const refused = await regiAtHome(args, { home });
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain(
        `the registry "${registry}" is blocked\n  it is blocked in one of: ~/.config/containers/registries.conf\n`,
      );
    }
  });

  test('credentials of a flag stay with the registry that was typed, and a mirror gets its own', async () => {
    const asking = await start({
      auth: { kind: 'basic', users: { other: 'mirror-password' } } as never,
    });
    await regiAtHome(
      ['copy', '--dest-creds', 'other:env:P', tinyLayout('app:1'), `${asking.host}/app:1`],
      { env: { P: 'mirror-password' } },
    );
    asking.forgetRequests();
    const home = homeWith(conf(upstream.as('registry.test'), [asking.as('mirror.test')]));
    const args = [
      '-v',
      'digest',
      '--src-creds',
      'user:env:SECRET',
      `${upstream.as('registry.test')}/app:1`,
    ];
    const env = { SECRET: USERS.user };

    const without = await regiAtHome(args, { home, env });
    expect(without.status).toBe(0);
    expect(without.stderr).toContain('Skipping');
    expect(asking.requests.length).toBeGreaterThan(0);
    expect(
      asking.requests.filter(({ headers }) => JSON.stringify(headers).includes('authorization')),
    ).toEqual([]);

    const own = {
      auths: {
        [asking.as('mirror.test')]: {
          auth: Buffer.from('other:mirror-password').toString('base64'),
        },
      },
    };
    const withOwn = await regiAtHome(args, {
      home: homeWith({
        ...conf(upstream.as('registry.test'), [asking.as('mirror.test')]),
        '.docker/config.json': JSON.stringify(own),
      }),
      env,
    });
    expect(withOwn.status).toBe(0);
    expect(withOwn.stderr).toContain('is read from its mirror');
  });
});

describe('insecure hosts', () => {
  test('registry.local:5000 is read and written over plain http when daemon.json of docker names it insecure', async () => {
    const registry = await start();
    const name = registry.as('registry.local');
    expect(await regiAtHome(['copy', tinyLayout(), `${name}/app:1`])).toMatchObject({ status: 5 });
    const home = homeWith({
      '.config/docker/daemon.json': JSON.stringify({ 'insecure-registries': [name] }),
    });
    expect(await regiAtHome(['copy', tinyLayout(), `${name}/app:1`], { home })).toMatchObject({
      status: 0,
    });
    expect(await regiAtHome(['digest', `${name}/app:1`], { home })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  test('registries.conf loosens one namespace of a host and not the others', async () => {
    const registry = await start();
    const name = registry.as('registry.test');
    const home = homeWith({
      '.config/containers/registries.conf': `[[registry]]\nlocation = "${name}/loose"\ninsecure = true\n`,
    });
    expect(await regiAtHome(['copy', tinyLayout(), `${name}/loose/app:1`], { home })).toMatchObject(
      { status: 0 },
    );
    expect(
      await regiAtHome(['copy', tinyLayout(), `${name}/strict/app:1`], { home }),
    ).toMatchObject({ status: 5 });
  });

  test('a malformed daemon.json is no reason to fail', async () => {
    const registry = await start();
    const home = homeWith({ '.config/docker/daemon.json': '{' });
    const answer = await regiAtHome(['copy', tinyLayout(), `${registry.host}/app:1`], { home });
    expect(answer.status).toBe(0);
    expect(answer.stderr).toContain(
      'regi: warning: Cannot use "insecure-registries" of "~/.config/docker/daemon.json": expected a JSON object',
    );
  });
});

describe('config.yaml', () => {
  test('chunkSize splits an upload, and concurrency bounds simultaneous requests', async () => {
    const registry = await start();
    const yaml = `hosts:\n  ${registry.host}:\n    chunkSize: 64\n    concurrency: 1\n`;
    const home = homeWith({ '.config/regi/config.yaml': yaml });
    expect(
      await regiAtHome(['copy', tinyLayout(), `${registry.host}/app:1`], { home }),
    ).toMatchObject({ status: 0 });
    expect(registry.count('PATCH')).toBeGreaterThan(2);
    expect(registry.connections()).toBe(1);
  });
});

describe('configurations that cannot be used', () => {
  test.each([
    [
      'a config.yaml that is no YAML',
      { '.config/regi/config.yaml': 'hosts: [' },
      {},
      'config.yaml',
    ],
    [
      'an unknown key',
      { '.config/regi/config.yaml': 'hosts:\n  a.test:\n    insecur: true\n' },
      {},
      'insecur',
    ],
    [
      'an unknown size',
      { '.config/regi/config.yaml': 'hosts:\n  registry.test:\n    chunkSize: much\n' },
      {},
      'chunkSize',
    ],
    [
      'a host with a scheme',
      { '.config/regi/config.yaml': 'hosts:\n  https://a.test: {}\n' },
      {},
      'https://a.test',
    ],
    ['a config.yaml that is not there', {}, { REGI_CONFIG: 'nowhere.yaml' }, 'nowhere.yaml'],
    [
      'a registries.conf that is no TOML',
      { '.config/containers/registries.conf': '[[registry]]\nlocation = ' },
      {},
      'registries.conf',
    ],
    [
      'a registries.conf that is not there',
      {},
      { CONTAINERS_REGISTRIES_CONF: 'nowhere.conf' },
      'nowhere.conf',
    ],
  ])('%s is exit 2', async (_what, files, env, text) => {
    const refused = await regiAtHome(['digest', 'registry.test/app:1'], {
      home: homeWith(files),
      env,
    });
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(text);
  });
});
