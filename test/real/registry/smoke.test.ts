import { beforeAll, describe, expect, test } from 'vitest';

import { makeCertificates } from '../../support/http/certificates.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { type RealImages, realImages } from '../../support/images/rootfs.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

describeReal('startDockerRegistry()', ['docker-registry', 'skopeo', 'openssl'], () => {
  test('starts a registry that skopeo pushes to and reads from', async () => {
    const { host } = await startDockerRegistry();
    const layout = tinyLayout();
    await skopeo.copy(layout, `docker://${host}/app:1`);
    expect(await skopeo.digest(`docker://${host}/app:1`)).toBe(await skopeo.digest(layout));
    expect(await skopeo.rawManifest(`docker://${host}/app:1`)).toBe(
      await skopeo.rawManifest(layout),
    );
    expect(await skopeo.listTags(`docker://${host}/app`)).toEqual(['1']);
  });

  test('accepts only the right password, behind TLS', async () => {
    const certificates = makeCertificates({ hosts: ['127.0.0.1'] });
    const { host } = await startDockerRegistry({
      htpasswd: { user: 'alice', password: 'a secret' },
      tls: certificates,
    });
    const place = `docker://${host}/app:1`;
    const { caFolder } = certificates;
    await skopeo.copy(tinyLayout(), place, { to: { creds: 'alice:a secret', caFolder } });
    expect(await skopeo.inspect(place, { creds: 'alice:a secret', caFolder })).toMatchObject({
      Architecture: 'amd64',
      Os: 'linux',
    });
    await expect(skopeo.inspect(place, { creds: 'alice:another', caFolder })).rejects.toThrow(
      'authentication required',
    );
    const otherCa = makeCertificates({ hosts: ['127.0.0.1'] }).caFolder;
    await expect(
      skopeo.inspect(place, { creds: 'alice:a secret', caFolder: otherCa }),
    ).rejects.toThrow('certificate');
  });

  test('allows DELETE only when asked', async () => {
    const status: number[] = [];
    for (const isAllowed of [true, false]) {
      const { host, url } = await startDockerRegistry({ delete: isAllowed });
      await skopeo.copy(tinyLayout(), `docker://${host}/app:1`);
      const digest = await skopeo.digest(`docker://${host}/app:1`);
      status.push((await fetch(`${url}/v2/app/manifests/${digest}`, { method: 'DELETE' })).status);
    }
    expect(status).toEqual([202, 405]);
  });

  test('keeps its content in a storage that a second process starts on', async () => {
    const first = await startDockerRegistry();
    await skopeo.copy(tinyLayout(), `docker://${first.host}/app:1`);
    await first.stop();
    const second = await startDockerRegistry({ storage: first.storage });
    expect(await skopeo.listTags(`docker://${second.host}/app`)).toEqual(['1']);
  });

  test('lists the requests since they were forgotten', async () => {
    const registry = await startDockerRegistry();
    await fetch(`${registry.url}/v2/`);
    await registry.forgetRequests();
    await fetch(`${registry.url}/v2/_catalog?n=5`);
    await fetch(`${registry.url}/v2/app/blobs/sha256:${'0'.repeat(64)}`, { method: 'HEAD' });
    expect(await registry.requests()).toMatchObject([
      { method: 'GET', path: '/v2/_catalog?n=5', status: 200 },
      { method: 'HEAD', path: `/v2/app/blobs/sha256:${'0'.repeat(64)}`, status: 404 },
    ]);
  });
});

describeReal('realImages()', ['docker-registry', 'skopeo', 'buildah'], () => {
  let images: RealImages;

  beforeAll(async () => {
    images = await realImages();
  });

  test('builds an image of two layers', async () => {
    expect(await skopeo.digest(images.image)).toBe(images.imageDigest);
    expect((await skopeo.inspect(images.image)).Layers).toHaveLength(2);
  });

  test('builds an index of three platforms whose first is the image', async () => {
    const { manifests } = JSON.parse(await skopeo.rawManifest(images.index)) as {
      manifests: { digest: string; platform: object }[];
    };
    expect(manifests.map(({ platform }) => platform)).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux', variant: 'v8' },
      { architecture: 'arm', os: 'linux', variant: 'v7' },
    ]);
    expect(manifests[0]?.digest).toBe(images.imageDigest);
  });

  describe('with a registry', () => {
    test('gives an index that skopeo copies whole', async () => {
      const { host } = await startDockerRegistry();
      await skopeo.copy(images.index, `docker://${host}/debian:12`, { all: true });
      expect(await skopeo.digest(`docker://${host}/debian:12`)).toBe(images.indexDigest);
    });
  });
});

test('runRegi() runs the built program in an empty home and measures its memory', async () => {
  const { status, stdout, peakBytes } = await runRegi(['--version']);
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\S*\n$/),
  });
  expect(peakBytes).toBeGreaterThan(20_000_000);
  expect(peakBytes).toBeLessThan(150_000_000);
});
