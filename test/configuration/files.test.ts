import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';

import { describe, expect, test, vi } from 'vitest';

import { readAuthorities, type AuthoritiesOptions } from '../../src/configuration/authorities.ts';
import {
  readInsecureRegistries,
  type DaemonJsonOptions,
} from '../../src/configuration/daemon-json.ts';
import { readRegiConfig } from '../../src/configuration/regi-config.ts';
import { readRegistriesConf } from '../../src/configuration/registries-conf-files.ts';
import { homeWith } from '../support/cli/home.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PEM = (name: string): string =>
  `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;

describe('readAuthorities()', () => {
  function read(
    env: AuthoritiesOptions['env'],
    options: Partial<AuthoritiesOptions> = {},
  ): Promise<readonly string[]> {
    const root = homeWith({ 'bundle.crt': PEM('system') });
    return readAuthorities({
      env,
      os: 'linux',
      warn: vi.fn<AuthoritiesOptions['warn']>(),
      bundles: ['/nowhere.crt', join(root, 'bundle.crt')],
      ...options,
    });
  }

  const files = homeWith({
    'file.pem': PEM('file'),
    'folder/a.pem': PEM('folder'),
    'folder/b.0': PEM('folder'),
    'folder/README': 'no',
  });
  const file = join(files, 'file.pem');
  const folder = join(files, 'folder');

  test.each([
    [{}, ['system']],
    [{ SSL_CERT_FILE: file }, ['system', 'file']],
    [{ SSL_CERT_DIR: folder }, ['system', 'folder']],
    [{ SSL_CERT_FILE: file, SSL_CERT_DIR: folder }, ['file', 'folder']],
    [{ NODE_EXTRA_CA_CERTS: file }, ['system', 'file']],
    [{ SSL_CERT_FILE: '', NODE_EXTRA_CA_CERTS: '/nowhere.pem' }, ['system']],
  ])('with %o it trusts %o', async (env, expected) => {
    expect(await read(env)).toEqual(expected.map(PEM));
  });

  test('returns each certificate once when several variables name it', async () => {
    const both = homeWith({ 'both.pem': `# of two\n${PEM('file')}${PEM('folder')}` });
    const found = await read({
      SSL_CERT_FILE: join(both, 'both.pem'),
      SSL_CERT_DIR: folder,
      NODE_EXTRA_CA_CERTS: file,
    });
    expect(found).toEqual([PEM('file'), PEM('folder')]);
  });

  test("uses Node's authorities on a machine without any", async () => {
    expect(await read({}, { bundles: [] })).toEqual(rootCertificates);
  });

  test('warns of a variable that names no file', async () => {
    const warn = vi.fn<AuthoritiesOptions['warn']>();
    expect(
      await read({ SSL_CERT_FILE: '/nowhere.pem', SSL_CERT_DIR: '/nowhere' }, { warn }),
    ).toEqual(rootCertificates);
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      expect.stringContaining('SSL_CERT_FILE'),
      expect.stringContaining('SSL_CERT_DIR'),
    ]);
  });
});

describe('readInsecureRegistries()', () => {
  function options(
    system: string | undefined,
    user: string | undefined,
  ): DaemonJsonOptions & { warn: ReturnType<typeof vi.fn>; log: ReturnType<typeof vi.fn> } {
    const home = homeWith({
      ...(system !== undefined && { 'etc/docker/daemon.json': system }),
      ...(user !== undefined && { '.config/docker/daemon.json': user }),
    });
    return {
      home,
      systemFolder: join(home, 'etc'),
      warn: vi.fn<DaemonJsonOptions['warn']>(),
      log: vi.fn<DaemonJsonOptions['log']>(),
    };
  }

  test('reads the files of the system and of the user', async () => {
    const given = options(
      '{"insecure-registries":["registry.local:5000","10.0.0.0/8"]}',
      '{"insecure-registries":["http://other.test/"],"debug":true}',
    );
    expect(await readInsecureRegistries(given)).toEqual([
      'registry.local:5000',
      '10.0.0.0/8',
      'other.test',
    ]);
    expect(given.warn).not.toHaveBeenCalled();
  });

  test.each([
    '{',
    '[]7',
    'null',
    '{"insecure-registries":"a.test"}',
    '{"insecure-registries":[1]}',
    '{"insecure-registries":["a b"]}',
  ])('warns of %s, and marks no registry as insecure', async (text) => {
    const given = options(undefined, text);
    expect(await readInsecureRegistries(given)).toEqual([]);
    expect(given.warn).toHaveBeenCalledTimes(1);
  });

  test('skips an unreadable file with a line for -v', async () => {
    const given = options(undefined, undefined);
    mkdirSync(join(given.home, '.config/docker/daemon.json'), { recursive: true });
    expect(await readInsecureRegistries(given)).toEqual([]);
    expect(given.log).toHaveBeenCalledTimes(1);
    expect(given.warn).not.toHaveBeenCalled();
  });
});

describe('readRegiConfig()', () => {
  test('reads every setting of a host', async () => {
    const yaml =
      'hosts:\n  Registry.Test:5000:\n    insecure: true\n    ca: ~/ca.pem\n    concurrency: 2\n    chunkSize: 5M\n    mirrors: [mirror.test/cache/]\n  bare.test:\n';
    const home = homeWith({ '.config/regi/config.yaml': yaml });
    const config = await readRegiConfig({ env: {}, home, cwd: home });
    expect(config.get('registry.test:5000')).toEqual({
      insecure: true,
      mirrors: [{ location: 'mirror.test/cache', insecure: false, use: 'all' }],
      ca: join(home, 'ca.pem'),
      concurrency: 2,
      chunkSize: '5M',
    });
    expect(config.get('bare.test')).toMatchObject({ insecure: false, mirrors: undefined });
  });

  test('finds the file by REGI_CONFIG, then in XDG_CONFIG_HOME', async () => {
    const home = homeWith({
      'own.yaml': 'hosts: {a.test: {}}',
      'xdg/regi/config.yaml': 'hosts: {b.test: {}}',
    });
    const env = { REGI_CONFIG: 'own.yaml', XDG_CONFIG_HOME: join(home, 'xdg') };
    expect([...(await readRegiConfig({ env, home, cwd: home })).keys()]).toEqual(['a.test']);
    expect([
      ...(await readRegiConfig({ env: { ...env, REGI_CONFIG: '' }, home, cwd: home })).keys(),
    ]).toEqual(['b.test']);
  });

  test.each(['', '# nothing\n', 'hosts:\n'])('accepts %j as empty', async (yaml) => {
    const home = homeWith({ '.config/regi/config.yaml': yaml });
    expect((await readRegiConfig({ env: {}, home, cwd: home })).size).toBe(0);
  });
});

describe('readRegistriesConf()', () => {
  function table(location: string): string {
    return `[[registry]]\nlocation = "${location}"\n`;
  }

  function machine(
    files: Readonly<Record<string, string>>,
  ): Parameters<typeof readRegistriesConf>[0] {
    const root = temporaryFolder('machine');
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return {
      env: {},
      home: join(root, 'home'),
      cwd: root,
      systemFolders: [join(root, 'etc'), join(root, 'usr')],
    };
  }

  async function locations(
    options: Parameters<typeof readRegistriesConf>[0],
  ): Promise<readonly string[] | undefined> {
    return (await readRegistriesConf(options))?.rules.map(({ location }) => location);
  }

  test('reads one main file, the first that exists', async () => {
    const all = {
      'home/.config/containers/registries.conf': table('user'),
      'etc/containers/registries.conf': table('etc'),
      'usr/containers/registries.conf': table('usr'),
    };
    expect(await locations(machine(all))).toEqual(['user']);
    const { 'home/.config/containers/registries.conf': _, ...rest } = all;
    expect(await locations(machine(rest))).toEqual(['etc']);
  });

  test("adds the drop-ins of all folders, and prefers the user's for equal names", async () => {
    const files = {
      'etc/containers/registries.conf': table('main'),
      'etc/containers/registries.conf.d/1.conf': table('etc-1'),
      'etc/containers/registries.conf.d/2.conf': table('etc-2'),
      'etc/containers/registries.conf.d/3.ignore': table('ignored'),
      'home/.config/containers/registries.conf.d/2.conf': table('user-2'),
    };
    expect(await locations(machine(files))).toEqual(['etc-1', 'main', 'user-2']);
  });

  test('reads the files that the variables of podman name', async () => {
    const files = {
      'etc/containers/registries.conf': table('etc'),
      'mine.conf': table('mine'),
      'd/1.conf': table('dropped'),
    };
    const options = machine(files);
    const env = { CONTAINERS_REGISTRIES_CONF: 'mine.conf', CONTAINERS_REGISTRIES_CONF_DIR: 'd' };
    expect(await locations({ ...options, env })).toEqual(['dropped', 'mine']);
  });

  test('returns undefined when no file is about registries', async () => {
    expect(
      await locations(
        machine({
          'etc/containers/registries.conf':
            'unqualified-search-registries = ["a.test"]\n[aliases]\n"a" = "b.test/a"\n',
        }),
      ),
    ).toBeUndefined();
    expect(await locations(machine({}))).toBeUndefined();
  });
});
