import { join } from 'node:path';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

const image = makeImage({ seed: 81, format: 'docker' });
const index = makeIndex({ seed: 82, attestations: true });

let from: FakeRegistry;
let cwd: string;

beforeAll(async () => {
  from = await startFakeRegistry();
  await image.pushAll(from.place.open('app'), 'docker');
  await index.pushAll(from.place.open('app'), 'oci');
});

beforeEach(() => {
  cwd = temporaryFolder('format');
});

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

/**
 * A registry that takes OCI media types only, as zot does: it refuses the first manifest, which is
 * docker's.
 */
async function ociOnly(times = 1): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  registry.fault({
    match: { method: 'PUT', path: /\/manifests\// },
    action: {
      kind: 'respond',
      status: 415,
      headers: { 'content-type': 'application/json' },
      body: '{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}',
    },
    times,
  });
  return registry;
}

interface ManifestJson {
  readonly mediaType: string;
  readonly config: { readonly mediaType: string; readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
  readonly manifests: readonly {
    readonly mediaType: string;
    readonly digest: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

async function manifestOf(location: string): Promise<ManifestJson> {
  return JSON.parse((await regi('manifest', 'get', location)).stdout) as ManifestJson;
}

describe('A7: an archive in docker format into a registry that takes OCI types only', () => {
  test.each(['copy', 'import'])(
    '%s writes OCI types after one refusal, and says so',
    async (command) => {
      await regi('copy', `${from.host}/app:docker`, 'docker-archive:app.tar');
      const to = await ociOnly();
      const argv =
        command === 'copy'
          ? ['docker-archive:app.tar', `${to.host}/app:docker`]
          : ['docker-archive:app.tar', to.host, '--map', `${from.host}/app=${to.host}/app`];
      const { status, stderr } = await regi(command, ...argv);
      expect([status, stderr]).toEqual([0, expect.stringContaining('takes no docker media types')]);
      const written = await manifestOf(`${to.host}/app:docker`);
      expect(written).toMatchObject({
        mediaType: OCI_MANIFEST,
        config: {
          mediaType: 'application/vnd.oci.image.config.v1+json',
          digest: image.config.digest,
        },
        layers: image.layers.map(({ digest }) => ({
          mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
          digest,
        })),
      });
      expect((await regi('verify', `${to.host}/app:docker`)).status).toBe(0);
    },
  );

  test('a second refusal is the error, and a manifest that regi did not make is never changed', async () => {
    await regi('copy', `${from.host}/app:docker`, 'docker-archive:app.tar');
    const twice = await ociOnly(2);
    const made = await regi('copy', 'docker-archive:app.tar', `${twice.host}/app:1`);
    expect([made.status, made.stderr]).toEqual([1, expect.stringContaining('415')]);
    const once = await ociOnly();
    const copied = await regi('copy', `${from.host}/app:docker`, `${once.host}/app:1`);
    expect([copied.status, copied.stderr]).toEqual([1, expect.stringContaining('415')]);
  });
});

describe('A7: --format', () => {
  test('docker and back gives an index with the same images and attestations', async () => {
    const to = await startFakeRegistry();
    const [source, docker, back] = [`${from.host}/app:oci`, `${to.host}/app:d`, `${to.host}/app:o`];
    expect((await regi('copy', '--format', 'docker', source, docker)).status).toBe(0);
    const list = await manifestOf(docker);
    expect([list.mediaType, list.manifests[0]?.mediaType]).toEqual([DOCKER_LIST, DOCKER_MANIFEST]);
    expect(list.manifests[2]?.annotations?.['vnd.docker.reference.digest']).toBe(
      list.manifests[0]?.digest,
    );
    expect((await regi('verify', docker)).status).toBe(0);
    const copied = await regi('copy', '--format', 'oci', docker, back);
    expect([copied.status, (await manifestOf(back)).mediaType]).toEqual([0, OCI_INDEX]);
    expect(copied.stdout).toContain(index.root.digest);
  });

  test('keeps the digest of what has the types already', async () => {
    const copied = await regi('copy', '--format', 'oci', `${from.host}/app:oci`, 'oci:same:1');
    expect(copied.stdout).toContain(index.root.digest);
  });

  test.each([
    ['--referrers', 'oci:x:1'],
    ['--sparse', 'oci:x:1'],
    ['--format=oci', `archive:${join('.', 'x.tar')}`],
  ])('is refused with %s and %s', async (flag, target) => {
    const { status } = await regi('copy', '--format', 'oci', flag, `${from.host}/app:oci`, target);
    expect(status).toBe(2);
  });
});
