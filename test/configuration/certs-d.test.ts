import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test, vi } from 'vitest';

import {
  certificateFolders,
  readHostCertificates,
  type CertsDOptions,
  type FileReader,
} from '../../src/configuration/certs-d.ts';
import { InvalidConfigError } from '../../src/errors.ts';
import { makeSigningCertificate } from '../support/http/certificates.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Table {
  readonly 'host-match': readonly {
    readonly registry: string;
    readonly dir: string;
    readonly match: boolean;
  }[];
  readonly cases: readonly {
    readonly files: string | readonly string[];
    readonly expected?: { readonly extraCAs: number; readonly clientCerts: number } | string;
    readonly error?: string | boolean;
  }[];
}

const TABLE = JSON.parse(
  readFileSync(new URL('../tables/certs-d.json', import.meta.url), 'utf8'),
) as Table;
const { cert: PEM } = makeSigningCertificate();
const HOST = 'registry.test:5000';

function place(): CertsDOptions & {
  readonly folder: string;
  readonly warn: ReturnType<typeof vi.fn<CertsDOptions['warn']>>;
} {
  const root = temporaryFolder('certs');
  const options = {
    home: join(root, 'home'),
    systemFolder: join(root, 'etc'),
    os: 'linux',
    warn: vi.fn<CertsDOptions['warn']>(),
  };
  const [first = ''] = certificateFolders(options);
  return { ...options, folder: join(first, HOST) };
}

function write(folder: string, ...names: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  for (const name of names) writeFileSync(join(folder, name), PEM);
}

/** Files of which some may not be read: the tests may run as root, who reads everything. */
function forbidding(
  isForbidden: (path: string) => boolean,
  names: readonly string[] = [],
): FileReader {
  const guard = (path: string): void => {
    if (isForbidden(path)) throw Object.assign(new Error('no'), { code: 'EACCES' });
  };
  return {
    list: async (folder) => {
      guard(folder);
      if (!folder.includes('.config/docker'))
        throw Object.assign(new Error('no'), { code: 'ENOENT' });
      return names;
    },
    read: async (path) => {
      guard(path);
      return PEM;
    },
  };
}

describe('the table certs-d.json', () => {
  test.each(TABLE['host-match'])(
    'a folder $dir is for $registry: $match',
    async ({ registry, dir, match }) => {
      const options = place();
      const [parent = ''] = certificateFolders(options);
      write(join(parent, dir), 'ca.crt');
      expect((await readHostCertificates(registry, options)).ca).toHaveLength(match ? 1 : 0);
    },
  );

  test.each(TABLE.cases.filter(({ files }) => Array.isArray(files)))(
    'the files $files',
    async ({ files, expected, error }) => {
      const options = place();
      write(options.folder, ...[files].flat());
      const reading = readHostCertificates(HOST, options);
      if (typeof expected === 'object') {
        const { ca, cert, key } = await reading;
        expect({ extraCAs: ca.length, clientCerts: cert.length }).toEqual(expected);
        expect(key).toHaveLength(cert.length);
      } else {
        expect(error).toEqual(expect.any(String));
        const failure = await reading.catch((thrown: unknown) => thrown);
        expect(failure).toBeInstanceOf(InvalidConfigError);
        for (const half of ['client-cert-1.cert', 'client-cert-1.key'])
          expect((failure as Error).message).toContain(half);
      }
    },
  );

  test('an absent folder is no error', async () => {
    expect(await readHostCertificates(HOST, place())).toEqual({ ca: [], cert: [], key: [] });
  });

  test('a folder without permission is skipped, and the next one is used', async () => {
    const files = forbidding((path) => path.includes('containers'), ['ca.crt']);
    expect((await readHostCertificates(HOST, { ...place(), files })).ca).toHaveLength(1);
  });

  test('a path through a file is an error', async () => {
    const options = place();
    mkdirSync(options.home, { recursive: true });
    writeFileSync(join(options.home, '.config'), '');
    await expect(readHostCertificates(HOST, options)).rejects.toThrow(InvalidConfigError);
  });

  test('an authority that is a dangling link is skipped', async () => {
    const options = place();
    write(options.folder, 'a.crt');
    symlinkSync('/nowhere', join(options.folder, 'unreadable.crt'));
    expect((await readHostCertificates(HOST, options)).ca).toHaveLength(1);
  });

  test.each([
    ['x.crt', ['x.crt']],
    ['x.cert', ['x.cert', 'x.key']],
    ['x.key', ['x.cert', 'x.key']],
  ])('%s without permission to read is an error', async (name, names) => {
    const files = forbidding((path) => path.endsWith(name), names);
    await expect(readHostCertificates(HOST, { ...place(), files })).rejects.toThrow(
      `"~/.config/docker/certs.d/${HOST}/${name}"`,
    );
  });

  test('an authority that is not PEM is warned of', async () => {
    const options = place();
    write(options.folder);
    writeFileSync(join(options.folder, 'bad.crt'), 'nothing');
    expect((await readHostCertificates(HOST, options)).ca).toEqual([]);
    expect(options.warn).toHaveBeenCalledWith(
      expect.stringContaining('bad.crt'),
      expect.any(String),
    );
  });
});

describe('readHostCertificates()', () => {
  test('readHostCertificates() uses the first existing folder and does not merge', async () => {
    const options = place();
    for (const [index, parent] of certificateFolders(options).entries())
      write(join(parent, HOST), ...['a.crt', 'b.crt', 'c.crt'].slice(0, index + 1));
    expect((await readHostCertificates(HOST, options)).ca).toHaveLength(1);
  });

  test('readHostCertificates() ignores other files', async () => {
    const options = place();
    write(options.folder, 'README.txt', 'ca.pem');
    expect(await readHostCertificates(HOST, options)).toEqual({ ca: [], cert: [], key: [] });
  });

  test('readHostCertificates() omits the colon on Windows', async () => {
    const options = place();
    const [parent = ''] = certificateFolders(options);
    write(join(parent, 'registry.test5000'), 'ca.crt');
    expect((await readHostCertificates(HOST, { ...options, os: 'windows' })).ca).toHaveLength(1);
  });
});
