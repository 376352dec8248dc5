import { beforeEach, describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';

const image = makeImage();
const other = makeImage({ seed: 2 });

let registry: FakeRegistry;
beforeEach(async () => {
  registry = await startFakeRegistry();
  await image.pushAll(registry.place.open('team/app'), '1.4');
  await other.pushAll(registry.place.open('team/app'), '1.5');
});

describe('regi tag', () => {
  test('gives bare tags, once each, and prints a line for every name', async () => {
    const { status, stdout, stderr } = await runMain([
      'tag',
      `${registry.host}/team/app:1.4`,
      'latest',
      ':stable',
      'latest',
    ]);
    const lines = ['latest', 'stable', 'latest'].map(
      (tag) => `${registry.host}/team/app:${tag}@${image.root.digest}\n`,
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: lines.join('') });
    expect(stderr).toContain(`Tagging in the registry ${registry.host}`);
    for (const tag of ['latest', 'stable'])
      expect(await registry.place.open('team/app').resolve(tag)).toMatchObject({
        digest: image.root.digest,
      });
    expect(registry.count('GET', 'blob')).toBe(0);
  });

  test('moves an existing tag', async () => {
    expect((await runMain(['tag', `${registry.host}/team/app:1.4`, '1.5'])).status).toBe(0);
    expect(await registry.place.open('team/app').resolve('1.5')).toMatchObject({
      digest: image.root.digest,
    });
  });

  test('mounts blobs into another repository, and sends those that are not mounted', async () => {
    registry.fault({
      match: { method: 'POST', path: /mount=/ },
      action: { kind: 'respond', status: 405 },
    });
    const { status, stdout } = await runMain([
      'tag',
      `${registry.host}/team/app:1.4`,
      `${registry.host}/release/app:1`,
    ]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${registry.host}/release/app:1@${image.root.digest}\n`,
    });
    expect(registry.count('GET', 'blob')).toBe(1);
  });

  test('refuses to send a byte with --mount-only', async () => {
    registry.fault({
      match: { method: 'POST', path: /mount=/ },
      times: 10,
      action: { kind: 'respond', status: 405 },
    });
    const { status, stdout, stderr } = await runMain([
      'tag',
      '--mount-only',
      `${registry.host}/team/app:1.4`,
      `${registry.host}/release/app:1`,
    ]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('leave out --mount-only');
    expect(registry.count('GET', 'blob')).toBe(0);
  });

  test.each([
    [['team/app:1.4', 'elsewhere.example/app:1'], 3, 'regi copy'],
    [['team/app:nope', 'latest'], 3, 'check the spelling'],
    [['team/app:1.4', `@${image.root.digest}`], 2, ''],
    [['team/app:1.4', '.bad'], 2, ''],
    [['team/app:1.4'], 2, 'regi tag REF NEW'],
  ])('%j exits %d and shows what to type', async ([name = '', ...names], expected, hint) => {
    const { status, stdout, stderr } = await runMain(['tag', `${registry.host}/${name}`, ...names]);
    expect({ status, stdout }).toEqual({ status: expected, stdout: '' });
    const lines = stderr.trimEnd().split('\n').slice(-2);
    expect(lines[0]).toMatch(/^regi: /);
    expect(lines[1]).toContain(hint);
  });
});

describe('regi digest and regi manifest get', () => {
  test('B15: digest --expect reads the manifest, where a HEAD claims the digest of another', async () => {
    const { digest } = makeImage({ seed: 77 }).root;
    registry.fault({
      match: { method: 'HEAD', path: /manifests\/1\.4$/ },
      action: { kind: 'headers', headers: { 'docker-content-digest': digest } },
    });
    const name = `${registry.host}/team/app:1.4`;
    expect((await runMain(['digest', name, '--expect', digest])).status).toBe(3);
  });

  test('print the digest, and with --expect fail with 7 when it is another', async () => {
    const name = `${registry.host}/team/app:1.4`;
    expect(await runMain(['digest', name, '--expect', image.root.digest])).toMatchObject({
      status: 0,
      stdout: `${image.root.digest}\n`,
      stderr: '',
    });
    const { status, stdout, stderr } = await runMain([
      'digest',
      name,
      '--expect',
      other.root.digest,
    ]);
    expect({ status, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
      status: 7,
      stdout: '',
      lines: 2,
    });
    expect((await runMain(['digest', name, '--expect', 'sha256:abc'])).status).toBe(2);
  });

  test('print the exact bytes', async () => {
    const { status, stdout } = await runMain(['manifest', 'get', `${registry.host}/team/app:1.4`]);
    expect(status).toBe(0);
    expect(Buffer.from(stdout)).toEqual(
      Buffer.from(image.nodes.get(image.root.digest)?.bytes ?? ''),
    );
  });
});
