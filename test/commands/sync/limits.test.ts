import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { makeCertificates } from '../../support/http/certificates.ts';
import { lookupLoopback } from '../../support/http/transport.ts';
import { makeImage } from '../../support/images/images.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const images = [1, 2, 3, 4, 5, 6].map((seed) => makeImage({ seed }));

describe('regi sync and limits of registries', () => {
  test('keepPulls defers what would use up the last pulls, and the next run copies it', async () => {
    const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
    for (const [at, image] of images.entries())
      await image.pushAll(from.place.open('app'), `1.${at}`);
    let granted = 10;
    from.fault({
      match: { path: /manifests/ },
      times: 9999,
      action: {
        kind: 'headers',
        headers: {
          'ratelimit-limit': '100;w=21600',
          get 'ratelimit-remaining'() {
            return `${granted - from.count('GET', 'manifest')};w=21600`;
          },
        },
      },
    });
    const cwd = temporaryFolder('sync');
    const file = (prune: string): void =>
      writeFileSync(
        join(cwd, 'mirror.yaml'),
        `version: 1
registries: { '${from.host}': { keepPulls: 7 } }
images: [{ from: ${from.host}/app, to: ${to.host}/app, referrers: false, prune: ${prune} }]
`,
      );
    const sync = (): ReturnType<typeof runMain> =>
      runMain(['sync', 'mirror.yaml', '--state', join(cwd, 'state')], { cwd });
    file('true');
    const first = await sync();
    const statuses = first.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/ .*/, ''));
    expect(statuses.toSorted()).toEqual(['deferred', 'deferred', 'deferred', 'new', 'new', 'new']);
    expect(first.status).toBe(6);
    expect(first.stderr).toContain('6 images: 3 new, 3 deferred');
    expect(first.stderr).toContain('Nothing is pruned');
    expect(from.count('GET', 'manifest')).toBe(3);
    granted = 100;
    const second = await sync();
    expect(second).toMatchObject({ status: 0 });
    expect(second.stderr).toContain('6 images: 3 new, 3 same');
  });

  test('caFile is trusted for its registry, and its path begins at the file', async () => {
    const certificates = makeCertificates({ hosts: ['registry.test'] });
    const tls = { tls: certificates, allowedHosts: ['registry.test'] };
    const [from, to] = await Promise.all([startFakeRegistry(tls), startFakeRegistry()]);
    await images[0]?.pushAll(from.place.open('app'), '1');
    const host = from.host.replace('127.0.0.1', 'registry.test');
    const cwd = temporaryFolder('sync');
    copyFileSync(certificates.caPath, join(cwd, 'ca.pem'));
    const sync = (registries: string): ReturnType<typeof runMain> => {
      writeFileSync(
        join(cwd, 'mirror.yaml'),
        `version: 1\n${registries}images: [{ from: ${host}/app, to: ${to.host}/app }]\n`,
      );
      const flags = ['--state', join(cwd, 'state'), '--retry', '0'];
      return runMain(['sync', join(cwd, 'mirror.yaml'), ...flags], { lookup: lookupLoopback });
    };
    expect((await sync('')).status).toBe(8);
    const other = await sync(`registries: { other.test: { caFile: ca.pem } }\n`);
    expect(other.status).toBe(8);
    expect(await sync(`registries: { '${host}': { caFile: ca.pem } }\n`)).toMatchObject({
      status: 0,
    });
    const missing = await sync(`registries: { '${host}': { caFile: none.pem } }\n`);
    expect(missing.stderr).toContain('none.pem');
    expect(missing.status).not.toBe(0);
  });
});
