import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { toDescriptorJson } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeBlob, makeImage, nodeOf, type TestNode } from '../../support/images/images.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';

const TYPE = 'application/vnd.example.bundle.manifest.v7+json';

const image = makeImage();
const blobs = [makeBlob(50, 1), makeBlob(60, 2), makeBlob(70, 3)];
const [config, layer, blob] = blobs.map(({ descriptor }) => toDescriptorJson(descriptor));
const unknown = nodeOf(
  TYPE,
  Buffer.from(
    JSON.stringify({
      schemaVersion: 7,
      mediaType: TYPE,
      config,
      layers: [layer, 'unreadable'],
      blobs: [blob],
      manifests: [toDescriptorJson(image.root)],
    }),
  ),
);

let from: FakeRegistry;
let to: FakeRegistry;

beforeEach(async () => {
  [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
  for (const { descriptor, bytes } of blobs)
    await from.place.open('app').push(descriptor, bytesOf(bytes));
  await image.pushAll(from.place.open('app'), 'image');
  serve(from, unknown, 'bundle');
  // A registry that takes any manifest.
  to.fault({
    match: {
      method: 'PUT',
      path: new RegExp(`/manifests/(?:bundle|${unknown.descriptor.digest})`),
    },
    action: { kind: 'respond', status: 201, body: '' },
    times: 9,
  });
});

/** Serves a manifest of any type below its digest and a tag. */
function serve(registry: FakeRegistry, { descriptor, bytes }: TestNode, tag: string): void {
  registry.fault({
    match: { path: new RegExp(`/manifests/(?:${tag}|${descriptor.digest})$`) },
    action: {
      kind: 'respond',
      status: 200,
      body: Buffer.from(bytes).toString(),
      headers: {
        'content-type': descriptor.mediaType,
        'docker-content-digest': descriptor.digest,
      },
    },
    times: 99,
  });
}

function puts(registry: FakeRegistry): readonly unknown[] {
  return registry.requests
    .filter(({ method, kind }) => method === 'PUT' && kind === 'manifest')
    .map(({ headers }) => [headers['content-type'], headers['content-length']]);
}

describe('A3: a manifest of a type that regi does not know', () => {
  test('is copied byte for byte with the content that it lists, and a warning names it', async () => {
    const { status, stdout, stderr } = await runMain([
      'copy',
      `${from.host}/app:bundle`,
      `${to.host}/app:bundle`,
    ]);
    expect([status, stdout]).toEqual([0, expect.stringContaining(unknown.descriptor.digest)]);
    expect(stderr).toContain(
      `${unknown.descriptor.digest} is a manifest of the unknown type "${TYPE}"`,
    );
    expect(puts(to)).toEqual([[TYPE, String(unknown.bytes.byteLength)]]);
    for (const { descriptor } of blobs)
      expect(await to.place.open('app').exists(descriptor)).toBe(true);
    expect(await to.place.open('app').exists(image.root)).toBe(false);
  });

  test('is copied as an entry of an index, where most entries of unknown types are blobs', async () => {
    const index = nodeOf(
      'application/vnd.oci.image.index.v1+json',
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          manifests: [toDescriptorJson(unknown.descriptor), blob],
        }),
      ),
    );
    await from.place.open('app').push(index.descriptor, bytesOf(index.bytes), { tag: 'index' });
    to.fault({
      match: { method: 'PUT', path: /\/manifests\/index/ },
      action: { kind: 'respond', status: 201, body: '' },
    });
    const argv = ['copy', `${from.host}/app:index`, `${to.host}/app:index`];
    const { status, stderr } = await runMain(argv);
    expect([status, stderr]).toEqual([0, expect.stringContaining('unknown type')]);
    expect(puts(to)).toContainEqual([TYPE, String(unknown.bytes.byteLength)]);
  });

  test('is copied as a referrer', async () => {
    const manifests = [toDescriptorJson(unknown.descriptor)];
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    from.fault({
      match: { path: new RegExp(`/referrers/${image.root.digest}`) },
      action: {
        kind: 'respond',
        status: 200,
        body: JSON.stringify({ schemaVersion: 2, mediaType, manifests }),
        headers: { 'content-type': mediaType },
      },
      times: 9,
    });
    const argv = ['copy', '--referrers', `${from.host}/app:image`, `${to.host}/app:image`];
    const { status, stderr } = await runMain(argv);
    expect([status, stderr]).toEqual([0, expect.stringContaining('unknown type')]);
    expect(puts(to)).toContainEqual([TYPE, String(unknown.bytes.byteLength)]);
  });

  test('is neither inspected as an image nor called damaged', async () => {
    for (const command of ['inspect', 'config', 'files']) {
      const { status, stderr } = await runMain([command, `${from.host}/app:bundle`]);
      expect(stderr).not.toMatch(/damaged|bug/);
      expect(status).not.toBe(7);
    }
    const { stdout } = await runMain(['manifest', 'get', '--raw', `${from.host}/app:bundle`]);
    expect(digestOf(Buffer.from(stdout))).toBe(unknown.descriptor.digest);
  });

  test('is put into no archive, from which it could not be read', async () => {
    const argv = ['export', `${from.host}/app:bundle`, '-o', '-'];
    const { status, stderr } = await runMain(argv);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`its type "${TYPE}" is not`)]);
  });
});
