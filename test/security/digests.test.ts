import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { toDescriptorJson } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { startEndlessServer } from '../support/http/endless-server.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { manifestNode, pushHostile } from '../support/images/hostile-images.ts';
import { makeImage, makeIndex, nodeOf } from '../support/images/images.ts';
import { runMain, type MainResult } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Copies `source` into a new layout, and tells whether anything can be found there. */
async function copyToLayout(
  source: string,
  ...flags: readonly string[]
): Promise<MainResult & { readonly kept: boolean; readonly folder: string }> {
  const folder = join(temporaryFolder('layout'), 'to');
  const result = await runMain(['copy', ...flags, source, `oci:${folder}:v1`]);
  const { status } = await runMain(['digest', `oci:${folder}:v1`]);
  return { ...result, kept: status === 0, folder };
}

const BAD_DIGESTS = [
  'sha256:../../../../etc/passwd',
  'sha256:abc',
  `SHA256:${'a'.repeat(64)}`,
  `sha256:${'A'.repeat(64)}`,
  `sha384:${'a'.repeat(96)}`,
  '',
  5,
];

describe('an invalid digest', () => {
  const { config, layers } = makeImage();
  const [layer] = layers;

  test.each(BAD_DIGESTS)(
    'dig-everywhere: %j is refused in config, layers, subject and index entries',
    async (digest) => {
      const registry = await startFakeRegistry();
      const hostile = [
        manifestNode({ config: { ...config, digest } }),
        manifestNode({ layers: [{ ...layer, digest }] }),
        manifestNode({ subject: { ...config, mediaType: MEDIA_TYPE.ociManifest, digest } }),
        manifestNode(
          { manifests: [{ ...config, mediaType: MEDIA_TYPE.ociManifest, digest }] },
          MEDIA_TYPE.ociIndex,
        ),
      ];
      for (const [index, node] of hostile.entries()) {
        await pushHostile(registry.place.open('app'), node, `v${index}`);
        const { status, kept, stdout } = await copyToLayout(`${registry.host}/app:v${index}`);
        expect({ status, kept, stdout }).toEqual({ status: 7, kept: false, stdout: '' });
      }
    },
  );

  test('dig-everywhere: it is refused in Docker-Content-Digest', async () => {
    const registry = await startFakeRegistry();
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    registry.fault({
      match: { path: /manifests/ },
      times: 10,
      action: { kind: 'headers', headers: { 'docker-content-digest': 'sha256:../../x' } },
    });
    expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({ status: 5, kept: false });
  });

  test('dig-everywhere: an entry with it is left out of the response of the referrers API', async () => {
    const registry = await startFakeRegistry();
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [{ ...config, digest: 'sha256:../../x' }],
    });
    registry.fault({
      match: { path: /referrers/ },
      times: 10,
      action: { kind: 'replace-body', body },
    });
    const { status, kept, stderr } = await copyToLayout(`${registry.host}/app:v1`, '--referrers');
    expect({ status, kept }).toEqual({ status: 0, kept: true });
    expect(stderr).toContain('sha256:../../x');
    expect(registry.requests.map(({ url }) => url).join('\n')).not.toContain('..');
  });

  test('dig-everywhere: it is refused in index.json', async () => {
    const folder = temporaryFolder('layout');
    writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const annotations = { 'org.opencontainers.image.ref.name': 'v1' };
    writeFileSync(
      join(folder, 'index.json'),
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          { ...config, mediaType: MEDIA_TYPE.ociManifest, digest: 'sha256:../../x', annotations },
        ],
      }),
    );
    expect(await runMain(['manifest', 'get', `oci:${folder}:v1`])).toMatchObject({
      status: 7,
      stdout: '',
    });
  });
});

describe('content that does not match its digest', () => {
  test('dig-manifest-pinned: a manifest that does not match the requested digest is not used', async () => {
    const registry = await startFakeRegistry();
    const image = makeImage();
    await image.pushAll(registry.place.open('app'), 'v1');
    registry.fault({
      match: { method: 'GET', path: /manifests\/sha256:/ },
      times: 10,
      action: { kind: 'replace-body', body: manifestNode({ annotations: { a: 'b' } }).bytes },
    });

    expect(await copyToLayout(`${registry.host}/app@${image.root.digest}`)).toMatchObject({
      status: 7,
      kept: false,
    });
    expect(
      await runMain(['manifest', 'get', `${registry.host}/app@${image.root.digest}`]),
    ).toMatchObject({ status: 7, stdout: '' });
  });

  test('dig-header-mismatch: a manifest that does not match its digest header is not used', async () => {
    const registry = await startFakeRegistry();
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    const headers = { 'docker-content-digest': digestOf(Buffer.from('something else')) };
    registry.fault({
      match: { method: 'HEAD' },
      times: 10,
      action: { kind: 'respond', status: 405 },
    });
    registry.fault({
      match: { method: 'GET', path: /manifests/ },
      times: 10,
      action: { kind: 'headers', headers },
    });
    expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({ status: 7, kept: false });
  });

  test('dig-head-then-get: a tag is resolved once, and content is read by digest', async () => {
    const registry = await startFakeRegistry();
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({ status: 0 });
    const byTag = registry.requests.filter(({ url }) => url.endsWith('/manifests/v1'));
    expect(byTag.map(({ method }) => method)).toEqual(['HEAD']);
  });

  test('dig-size: a blob is read up to the size in its descriptor', async () => {
    const registry = await startFakeRegistry();
    const image = makeImage({ layers: [100] });
    await image.pushAll(registry.place.open('app'), 'v1');
    const storage = await startEndlessServer(new Uint8Array(65_536));
    registry.fault({
      match: { method: 'GET', path: /blobs/ },
      times: 10,
      action: { kind: 'redirect', to: `${storage.origin}/endless` },
    });

    expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({ status: 7, kept: false });
    expect(storage.sent()).toBeLessThan(64 * 1024 * 1024);
  });

  test('dig-config: a config that is damaged, or too large to be one, is refused where it is read', async () => {
    const registry = await startFakeRegistry();
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    registry.fault({
      match: { method: 'GET', path: /blobs/ },
      times: 1,
      action: { kind: 'corrupt', at: 3 },
    });
    expect(
      await runMain(['digest', '--platform', 'linux/amd64', `${registry.host}/app:v1`]),
    ).toMatchObject({ status: 7, stdout: '' });

    const huge = nodeOf(MEDIA_TYPE.ociConfig, Buffer.alloc(5 * 1024 * 1024, ' '));
    const store = registry.place.open('app');
    await store.push(huge.descriptor, bytesOf(huge.bytes));
    const config = toDescriptorJson(huge.descriptor);
    await pushHostile(store, manifestNode({ config }), 'huge');
    expect(
      await runMain(['digest', '--platform', 'linux/amd64', `${registry.host}/app:huge`]),
    ).toMatchObject({ status: 7, stdout: '' });
  });

  test('dig-config: a config that is no JSON names no platform, and travels as the bytes it is', async () => {
    const registry = await startFakeRegistry();
    const config = nodeOf(MEDIA_TYPE.ociConfig, Buffer.from('this is no JSON'));
    const store = registry.place.open('app');
    await store.push(
      config.descriptor,
      (async function* () {
        yield config.bytes;
      })(),
    );
    await pushHostile(store, manifestNode({ config: toDescriptorJson(config.descriptor) }));
    expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({ status: 0, kept: true });
  });

  test('dig-push-verify: a registry that reports another digest for a manifest is an error', async () => {
    const [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
    await makeImage().pushAll(from.place.open('app'), 'v1');
    const headers = { 'docker-content-digest': digestOf(Buffer.from('something else')) };
    to.fault({
      match: { method: 'PUT', path: /manifests/ },
      times: 10,
      action: { kind: 'headers', headers },
    });
    expect(await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`])).toMatchObject({
      status: 7,
      stdout: '',
    });
  });

  test('dig-range-resume: a transfer that resumes with other content is detected', async () => {
    const registry = await startFakeRegistry();
    const image = makeImage({ layers: [200_000] });
    await image.pushAll(registry.place.open('app'), 'v1');
    const blob = { method: 'GET', path: new RegExp(`blobs/${image.layers[0]?.digest ?? ''}`) };
    registry.fault({ match: blob, action: { kind: 'cut', afterBytes: 100_000 } });
    registry.fault({ match: blob, times: 20, action: { kind: 'corrupt', at: 5 } });
    expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({ status: 7, kept: false });
  });

  test.each([
    ['another range', { 'content-range': 'bytes 0-9/200000' }, 206, 5],
    ['all of it again', {}, 200, 0],
  ])(
    'dig-range-resume: a response with %s gives the right bytes or none',
    async (_, headers, status, expected) => {
      const registry = await startFakeRegistry();
      const image = makeImage({ layers: [200_000] });
      const [layer] = image.layers;
      await image.pushAll(registry.place.open('app'), 'v1');
      const blob = { method: 'GET', path: new RegExp(`blobs/${layer?.digest ?? ''}`) };
      registry.fault({ match: blob, action: { kind: 'cut', afterBytes: 100_000 } });
      const bytes =
        [...image.nodes.values()].find(({ descriptor }) => descriptor.digest === layer?.digest)
          ?.bytes ?? '';
      registry.fault({
        match: blob,
        times: 20,
        action: { kind: 'respond', status, headers, body: bytes },
      });
      expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({
        status: expected,
        kept: expected === 0,
      });
    },
  );

  test('dig-gzip-transport: bytes are requested as stored, and compressed responses are refused', async () => {
    const registry = await startFakeRegistry();
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    expect(await copyToLayout(`${registry.host}/app:v1`)).toMatchObject({ status: 0 });
    expect(new Set(registry.requests.map(({ headers }) => headers['accept-encoding']))).toEqual(
      new Set(['identity']),
    );

    const compressed = { 'content-encoding': 'gzip', 'content-type': MEDIA_TYPE.ociManifest };
    registry.fault({
      match: { method: 'GET', path: /manifests/ },
      times: 10,
      action: { kind: 'respond', status: 200, headers: compressed, body: 'squeezed' },
    });
    // The image is not damaged: something on the way packed the response.
    const refused = await copyToLayout(`${registry.host}/app:v1`);
    expect(refused).toMatchObject({ status: 5, kept: false });
    expect(refused.stderr).toContain('packed with Content-Encoding "gzip"');
  });
});

describe('names and digests', () => {
  test('dig-tag-digest: the digest beside a tag decides, and must be in that repository', async () => {
    const registry = await startFakeRegistry();
    const [old, current] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    await old.pushAll(registry.place.open('app'));
    await current.pushAll(registry.place.open('app'), 'v1');
    await makeImage({ seed: 3 }).pushAll(registry.place.open('other'), 'v1');

    const { status, stdout } = await runMain([
      'digest',
      `${registry.host}/app:v1@${old.root.digest}`,
    ]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${old.root.digest}\n` });
    expect(await runMain(['digest', `${registry.host}/other:v1@${old.root.digest}`])).toMatchObject(
      { status: 3, stdout: '' },
    );
  });

  test('dig-unknown-alg: a sha512 digest is verified with sha512', async () => {
    const registry = await startFakeRegistry();
    const image = makeIndex({ algorithm: 'sha512' });
    await image.pushAll(registry.place.open('app'), 'v1');
    const { status, stdout, folder } = await copyToLayout(
      `${registry.host}/app@${image.root.digest}`,
    );
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `oci:${folder}@${image.root.digest}\n`,
    });
    expect(readdirSync(join(folder, 'blobs'))).toContain('sha512');

    registry.fault({
      match: { method: 'GET', path: /blobs\/sha512/ },
      times: 10,
      action: { kind: 'corrupt', at: 0 },
    });
    const damaged = await copyToLayout(`${registry.host}/app@${image.root.digest}`);
    expect(damaged).toMatchObject({ status: 7, kept: false });
    expect(
      existsSync(
        join(damaged.folder, 'blobs', 'sha512', image.root.digest.slice('sha512:'.length)),
      ),
    ).toBe(false);
  });
});
