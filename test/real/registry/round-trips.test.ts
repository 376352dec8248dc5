import { beforeAll, expect, test } from 'vitest';

import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import {
  startDockerRegistry,
  type DockerRegistry,
  type LoggedRequest,
} from '../../support/registries/docker-registry.ts';
import { makeImage } from '../../support/images/images.ts';
import { realClock } from '../../support/clock.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { startThrottleProxy } from '../../support/http/throttle-proxy.ts';

const TAGS = 40;
/** As DEFAULT_LANES: small and large ones at once. */
const MOST_CONNECTIONS = 24 + 4;

/** How many requests of a kind there were. */
function count(requests: readonly LoggedRequest[], method: string, path: RegExp): number {
  return requests.filter((request) => request.method === method && path.test(request.path)).length;
}

describeReal('requests of regi to registries', ['docker-registry'], () => {
  let a: DockerRegistry;
  let b: DockerRegistry;
  let layer: string;

  beforeAll(async () => {
    [a, b] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);
    const folder = temporaryFolder('layout');
    const store = await openLayout(folder, { create: true, clock: realClock });
    const images = Array.from({ length: TAGS }, (_, tag) =>
      makeImage({ layers: [1000, 2000, 200_000], annotations: { tag: String(tag) } }),
    );
    for (const [tag, image] of images.entries()) await image.pushAll(store, `v${tag}`);
    layer = images[0]?.layers[2]?.digest ?? '';
    expect(
      await runRegi(['copy', '--all-tags', `oci:${folder}`, `${a.host}/team/app`]),
    ).toMatchObject({ status: 0 });
  });

  async function requestsOf(args: readonly string[]): Promise<{
    readonly source: readonly LoggedRequest[];
    readonly destination: readonly LoggedRequest[];
  }> {
    await Promise.all([a.forgetRequests(), b.forgetRequests()]);
    expect(await runRegi(args)).toMatchObject({ status: 0 });
    const [source, destination] = await Promise.all([a.requests(), b.requests()]);
    return { source, destination };
  }

  test('copy of an unchanged tag costs one HEAD a side', async () => {
    const args = ['copy', `${a.host}/team/app:v1`, `${b.host}/unchanged:v1`];
    await runRegi(args);

    const { source, destination } = await requestsOf(args);

    expect(source.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'HEAD /v2/team/app/manifests/v1',
    ]);
    expect(destination.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'HEAD /v2/unchanged/manifests/v1',
    ]);
  });

  test('copy of many unchanged tags costs one HEAD a tag and side, and one list', async () => {
    const args = ['copy', '--all-tags', `${a.host}/team/app`, `${b.host}/many-unchanged`];
    await runRegi(args);

    const { source, destination } = await requestsOf(args);

    expect(count(source, 'GET', /\/tags\/list/)).toBe(1);
    expect(count(source, 'HEAD', /\/manifests\//)).toBe(TAGS);
    expect(source).toHaveLength(TAGS + 1);
    expect(count(destination, 'HEAD', /\/manifests\//)).toBe(TAGS);
    expect(count(destination, 'GET', /\/tags\/list/)).toBeLessThanOrEqual(1);
    expect(
      destination.filter(({ method, path }) => method !== 'HEAD' && !path.includes('/tags/list')),
    ).toEqual([]);
  });

  test('copy fetches and uploads a layer that many tags share once', async () => {
    const { source, destination } = await requestsOf([
      'copy',
      '--all-tags',
      `${a.host}/team/app`,
      `${b.host}/shared`,
    ]);

    expect(count(source, 'GET', new RegExp(`/blobs/${layer}$`))).toBe(1);
    expect(
      count(destination, 'PUT', new RegExp(`/blobs/uploads/.*digest=${encodeURIComponent(layer)}`)),
    ).toBe(1);
    expect(count(destination, 'HEAD', new RegExp(`/blobs/${layer}$`))).toBeLessThanOrEqual(1);
    expect(count(source, 'GET', /\/blobs\//)).toBe(4);
    expect(count(destination, 'POST', /\/blobs\/uploads\//)).toBe(4);
  });

  test('copy sends the manifest of each tag once, and reads it once', async () => {
    const { source, destination } = await requestsOf([
      'copy',
      '--all-tags',
      `${a.host}/team/app`,
      `${b.host}/sent`,
    ]);

    expect(count(source, 'GET', /\/manifests\//)).toBe(TAGS);
    expect(count(destination, 'PUT', /\/manifests\//)).toBe(TAGS);
  });

  test('copy of a new image checks for each small blob with the request that starts its upload', async () => {
    const { source, destination } = await requestsOf([
      'copy',
      `${a.host}/team/app:v2`,
      `${b.host}/once/app:v2`,
    ]);

    const steps = destination.map(
      ({ method, path }) =>
        `${method} ${path.replace(/\?.*/, '').replace(/(sha256:|uploads\/).+/, '$1…')}`,
    );
    expect(steps.toSorted()).toEqual([
      'HEAD /v2/once/app/manifests/sha256:…',
      'HEAD /v2/once/app/manifests/v2',
      ...Array.from({ length: 4 }, () => 'POST /v2/once/app/blobs/uploads/'),
      'PUT /v2/once/app/blobs/uploads/…',
      'PUT /v2/once/app/blobs/uploads/…',
      'PUT /v2/once/app/blobs/uploads/…',
      'PUT /v2/once/app/blobs/uploads/…',
      'PUT /v2/once/app/manifests/v2',
    ]);
    expect(count(source, 'GET', /\/blobs\//)).toBe(4);
    expect(count(source, 'GET', /\/manifests\//)).toBe(1);
  });

  test('copy of a tag that moved reads and sends only the blobs that are not there', async () => {
    await runRegi(['copy', `${a.host}/team/app:v3`, `${b.host}/moved/app:1`]);

    const { destination } = await requestsOf([
      'copy',
      `${a.host}/team/app:v4`,
      `${b.host}/moved/app:1`,
    ]);

    expect(count(destination, 'PUT', /\/blobs\//)).toBe(0);
    expect(
      destination.filter(({ path }) => path.includes('mount=')).map(({ status }) => status),
    ).toEqual([201, 201, 201, 201]);
  });

  test('another name in the same registry moves no blob', async () => {
    const { source } = await requestsOf([
      'copy',
      `${a.host}/team/app:v1`,
      `${a.host}/release/app:v1`,
    ]);

    expect(count(source, 'GET', /\/blobs\//)).toBe(0);
    expect(count(source, 'PATCH', /./)).toBe(0);
    expect(count(source, 'PUT', /\/blobs\//)).toBe(0);
    expect(
      source.filter(({ path }) => path.includes('mount=')).map(({ status }) => status),
    ).toEqual([201, 201, 201, 201]);
  });

  test('another tag in the same repository sends a manifest and nothing else', async () => {
    const { source } = await requestsOf(['tag', `${a.host}/team/app:v1`, 'stable']);

    expect(source.filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
    expect(count(source, 'PUT', /\/manifests\/stable$/)).toBe(1);
  });

  test('copy of many tags opens at most one connection a lane, and reuses it', async () => {
    const [from, to] = await Promise.all([startThrottleProxy(a.host), startThrottleProxy(b.host)]);

    expect(
      await runRegi(['copy', '--all-tags', `${from.host}/team/app`, `${to.host}/connections`]),
    ).toMatchObject({ status: 0 });

    expect(from.connections).toBeLessThanOrEqual(MOST_CONNECTIONS);
    expect(to.connections).toBeLessThanOrEqual(MOST_CONNECTIONS);
  });
});
