import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { startEndlessServer } from '../support/http/endless-server.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { manifestNode, pushHostile } from '../support/images/hostile-images.ts';
import { makeImage, nodeOf } from '../support/images/images.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { config, layers } = makeImage();

async function registryWith(...nodes: readonly ReturnType<typeof nodeOf>[]) {
  const registry = await startFakeRegistry();
  for (const [index, node] of nodes.entries())
    await pushHostile(registry.place.open('app'), node, `v${index}`);
  return registry;
}

describe('the type of a manifest', () => {
  test.each([undefined, 'text/plain', 'application/json'])(
    'man-ct-missing: an image without mediaType, served as %s, is known by its content',
    async (contentType) => {
      const node = nodeOf(
        MEDIA_TYPE.ociManifest,
        Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers })),
      );
      const registry = await registryWith(node);
      registry.fault({
        match: { path: /manifests/ },
        times: 10,
        action: { kind: 'headers', headers: { 'content-type': contentType } },
      });
      const { status, stdout } = await runMain(['copy', `${registry.host}/app:v0`, 'oci:to:v1']);
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: `oci:to@${node.descriptor.digest}\n`,
      });
    },
  );

  test('man-ct-missing: a manifest that is both image and index is refused', async () => {
    const both = { schemaVersion: 2, config, layers, manifests: [] };
    const registry = await registryWith(
      nodeOf(MEDIA_TYPE.ociManifest, Buffer.from(JSON.stringify(both))),
      nodeOf(MEDIA_TYPE.ociIndex, Buffer.from(JSON.stringify(both))),
    );
    expect((await runMain(['copy', `${registry.host}/app:v0`, 'oci:to:v1'])).status).toBe(7);
    expect((await runMain(['copy', `${registry.host}/app:v1`, 'oci:to:v1'])).status).toBe(7);
  });

  test('man-s1: a manifest of schema 1 is refused, signed or not', async () => {
    const body = Buffer.from(
      JSON.stringify({
        schemaVersion: 1,
        name: 'app',
        tag: 'v0',
        fsLayers: [{ blobSum: layers[0]?.digest }],
        history: [],
      }),
    );
    const types = [
      'application/vnd.docker.distribution.manifest.v1+json',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
    ];
    const registry = await registryWith(...types.map((type) => nodeOf(type, body)));
    for (const tag of ['v0', 'v1']) {
      const { status, stdout, stderr } = await runMain([
        'copy',
        `${registry.host}/app:${tag}`,
        'oci:to:v1',
      ]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toContain('schema 1');
    }
  });

  test.each([-1, 1e308, '12', 2 ** 53 + 2, 1.5, null])(
    'man-negative-size: a size of %j is refused',
    async (size) => {
      const registry = await registryWith(
        manifestNode({ layers: [{ ...layers[0], size }] }),
        manifestNode({ config: { ...config, size } }),
      );
      for (const tag of ['v0', 'v1'])
        expect(await runMain(['copy', `${registry.host}/app:${tag}`, 'oci:to:v1'])).toMatchObject({
          status: 7,
          stdout: '',
        });
    },
  );

  test.each([
    [{ os: 5, architecture: 'amd64' }, 7],
    [{ os: 'linux' }, 3],
    ['linux/amd64', 7],
    [{ os: 'linux\u0000\u001b[31m', architecture: 'amd64\n' }, 3],
  ])('man-foreign-platform: %j is refused or shown escaped', async (platform, expected) => {
    const registry = await registryWith(
      manifestNode(
        { manifests: [{ ...config, mediaType: MEDIA_TYPE.ociManifest, platform }] },
        MEDIA_TYPE.ociIndex,
      ),
    );
    const { status, stderr } = await runMain(
      ['copy', '--platform', 'linux/arm64', `${registry.host}/app:v0`, 'oci:to:v1'],
      { isTTY: true },
    );
    expect(status).toBe(expected);
    // What the terminal display itself writes apart.
    expect(stderr.replaceAll(/\u001b\[(?:\??\d*[A-Zhl])/g, '')).not.toMatch(/[\u0000\u001b]/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('limits of a manifest', () => {
  test('man-size: one byte over 4 MiB, an endless body and a compressed body are refused', async () => {
    const registry = await startFakeRegistry();
    await makeImage().pushAll(registry.place.open('app'), 'v0');
    const endless = await startEndlessServer(' '.repeat(65_536));
    const get = { method: 'GET', path: /manifests/ };
    registry.fault({
      match: get,
      action: { kind: 'replace-body', body: new Uint8Array(4 * 1024 * 1024 + 1) },
    });
    expect((await runMain(['manifest', 'get', `${registry.host}/app:v0`])).status).toBe(7);
    registry.fault({ match: get, action: { kind: 'redirect', to: `${endless.origin}/endless` } });
    expect((await runMain(['manifest', 'get', `${registry.host}/app:v0`])).status).toBe(7);
    expect(endless.sent()).toBeLessThan(64 * 1024 * 1024);
    registry.fault({
      match: get,
      action: { kind: 'headers', headers: { 'content-encoding': 'gzip' } },
    });
    expect((await runMain(['manifest', 'get', `${registry.host}/app:v0`])).status).toBe(0);
  });

  test('man-errbody: an endless error is read up to its limit, and one clean line is shown', async () => {
    const server = await startEndlessServer(`\u001b[2Jboom\u0007${'x'.repeat(1000)}`, {
      status: 500,
    });
    const { status, stderr } = await runMain([
      'tags',
      'list',
      `${server.host}/app`,
      '--retry',
      '0',
    ]);
    expect(status).toBe(5);
    expect(stderr).not.toMatch(/[\u0007\u001b]/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr.length).toBeLessThan(1000);
    expect(server.sent()).toBeLessThan(64 * 1024 * 1024);
  });

  test('man-nested-index: two levels are copied, a hundred are not', async () => {
    const registry = await startFakeRegistry();
    const store = registry.place.open('app');
    let inner = makeImage().root;
    await makeImage().pushAll(store);
    for (let depth = 1; depth <= 100; depth += 1)
      inner = await pushHostile(
        store,
        manifestNode({ manifests: [inner] }, MEDIA_TYPE.ociIndex),
        `depth${depth}`,
      );

    expect((await runMain(['copy', `${registry.host}/app:depth2`, 'oci:to:v1'])).status).toBe(0);
    registry.forgetRequests();
    expect(await runMain(['copy', `${registry.host}/app:depth100`, 'oci:to:v1'])).toMatchObject({
      status: 7,
      stdout: '',
    });
    expect(registry.requests.length).toBeLessThan(20);
  });

  test('man-huge-index: an index of 25,001 entries is refused before any other request', async () => {
    const entry = { mediaType: MEDIA_TYPE.ociManifest, digest: config.digest, size: 5 };
    const many = Array.from({ length: 25_001 }, () => entry);
    const node = manifestNode({ manifests: many }, MEDIA_TYPE.ociIndex);
    expect(node.bytes.byteLength).toBeLessThan(4 * 1024 * 1024);
    const registry = await registryWith(node);
    expect(await runMain(['copy', `${registry.host}/app:v0`, 'oci:to:v1'])).toMatchObject({
      status: 7,
      stdout: '',
    });
    expect(registry.count('GET')).toBe(1);
  });
});

describe('names in a manifest', () => {
  test.each(['../../x', 'a\nb', '/etc/x', 'C:\\x', '..'])(
    'man-lie-annotations: the name %j is no path and no tag',
    async (name) => {
      const annotations = {
        'org.opencontainers.image.ref.name': name,
        'org.opencontainers.image.title': name,
      };
      const registry = await registryWith(
        manifestNode({ annotations, layers: [{ ...layers[0], annotations }, layers[1]] }),
      );
      const parent = temporaryFolder('parent');
      const cwd = join(parent, 'inner');

      const { status } = await runMain(['copy', `${registry.host}/app:v0`, `oci:${cwd}/layout`]);

      expect(status).toBe(0);
      expect(readdirSync(parent)).toEqual(['inner']);
      expect(readdirSync(cwd)).toEqual(['layout']);
      expect((await runMain(['tags', 'list', `oci:${cwd}/layout`])).stdout).toBe('v0\n');
    },
  );
});
