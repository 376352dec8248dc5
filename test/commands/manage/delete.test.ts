import { beforeEach, describe, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { readIndexJson } from '../../support/images/layout-folder.ts';
import { instantClock } from '../../support/clock.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const image = makeImage();
const other = makeImage({ seed: 2 });

let registry: FakeRegistry;
let name: string;
beforeEach(async () => {
  registry = await startFakeRegistry();
  name = `${registry.host}/team/app`;
  const store = registry.place.open('team/app');
  await image.pushAll(store, '1.4');
  await store.tag(image.root, 'latest');
  await other.pushAll(store, '1.5');
});

async function tags(): Promise<readonly string[]> {
  return (await runMain(['tags', 'list', name])).stdout.trimEnd().split('\n').sort();
}

describe('regi delete', () => {
  test('says which tags go, asks at a terminal, and deletes', async () => {
    const { status, stdout, stderr } = await runMain(['delete', `${name}@${image.root.digest}`], {
      isTTY: true,
      typed: ['y'],
    });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `Untagged: ${name}:1.4\nUntagged: ${name}:latest\nDeleted: ${name}@${image.root.digest}\n`,
    });
    expect(stderr).toContain(
      `Deleting ${name}@${image.root.digest} also removes 2 tags: 1.4, latest`,
    );
    expect(await tags()).toEqual(['1.5']);
  });

  test('D6: the explanation stands before the question', async () => {
    const io = fakeIo({ isTTY: true, typed: ['n'] });
    let seen = '';
    const ask: typeof io.stdin.ask = (question, options) => {
      seen = io.stderrText();
      return io.stdin.ask(question, options);
    };
    await main(['delete', `${name}@${image.root.digest}`], {
      ...io,
      stdin: { ...io.stdin, ask },
    });
    expect(seen).toContain('also removes 2 tags: 1.4, latest\n');
  });

  test.each([[['n']], [['']], [[]], [['yess']]])(
    'deletes nothing when the answer is %j',
    async (typed) => {
      const { status, stdout, stderr } = await runMain(['delete', `${name}@${image.root.digest}`], {
        isTTY: true,
        typed,
      });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toContain('it was not confirmed');
      expect(registry.count('DELETE')).toBe(0);
    },
  );

  test('shows no more than ten of the tags before it asks', async () => {
    for (let at = 10; at < 25; at += 1)
      await registry.place.open('team/app').tag(other.root, `t${at}`);
    const { stdout, stderr } = await runMain(['delete', '--yes', `${name}@${other.root.digest}`]);
    expect(stderr).toMatch(/also removes 16 tags: 1\.5, t10, .*t18 and 6 more\n/);
    expect(stdout.match(/^Untagged/gm)).toHaveLength(16);
  });

  test('refuses to delete without --yes where standard input is no terminal', async () => {
    const { status, stderr } = await runMain(['delete', `${name}@${image.root.digest}`]);
    expect({ status, requests: registry.requests.length }).toEqual({ status: 2, requests: 0 });
    expect(stderr).toContain('add --yes');
  });

  test('--json prints one object', async () => {
    const { stdout } = await runMain(['delete', '--yes', '--json', `${name}@${image.root.digest}`]);
    expect(JSON.parse(stdout)).toEqual({
      name,
      digest: image.root.digest,
      tags: ['1.4', 'latest'],
    });
  });

  test('deletes the others when one is missing, and exits 8', async () => {
    const missing = makeImage({ seed: 9 }).root.digest;
    const { status, stdout, stderr } = await runMain([
      'delete',
      '-y',
      `${name}@${missing}`,
      `${name}@${other.root.digest}`,
    ]);
    expect(status).toBe(8);
    expect(stdout).toBe(`Untagged: ${name}:1.5\nDeleted: ${name}@${other.root.digest}\n`);
    expect(stderr).toContain('Cannot finish: 1 of 2 failed');
  });

  test('wants a digest, and says how to get it', async () => {
    const { status, stderr } = await runMain(['delete', '--yes', `${name}:1.4`]);
    expect(status).toBe(2);
    expect(stderr).toContain(
      `regi tags delete ${name}:1.4; to see the digest: regi digest ${name}:1.4`,
    );
  });

  test('warns of referrers of the image', async () => {
    await makeArtifact({ subject: image.root }).pushAll(registry.place.open('team/app'));
    const { stderr } = await runMain(['delete', '--yes', `${name}@${image.root.digest}`]);
    expect(stderr).toMatch(/1 referrer of .* will stay/);
  });

  test('deletes without listing tags where the registry cannot, and warns', async () => {
    registry.fault({
      match: { path: /tags\/list/ },
      times: 9,
      action: { kind: 'respond', status: 405, body: '{"errors":[{"code":"UNSUPPORTED"}]}' },
    });
    const { status, stdout, stderr } = await runMain([
      'delete',
      '--yes',
      `${name}@${image.root.digest}`,
    ]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `Deleted: ${name}@${image.root.digest}\n`,
    });
    expect(stderr).toContain('cannot be listed');
  });

  test('deletes nothing when a tag cannot be looked at', async () => {
    registry.fault({
      match: { method: 'HEAD', path: /manifests\/latest/ },
      times: 99,
      action: { kind: 'respond', status: 500 },
    });
    expect((await runMain(['delete', '--yes', `${name}@${image.root.digest}`])).status).toBe(5);
    expect(registry.count('DELETE')).toBe(0);
  });

  test('quotes why a registry refuses', async () => {
    const body = JSON.stringify({
      errors: [{ code: 'UNSUPPORTED', message: 'The operation is unsupported.' }],
    });
    registry.fault({ match: { method: 'DELETE' }, action: { kind: 'respond', status: 405, body } });
    const { status, stderr } = await runMain(['delete', '--yes', `${name}@${image.root.digest}`]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      'refused it (status 405, UNSUPPORTED "The operation is unsupported.")\n  this registry does not support that deletion',
    );
  });
});

describe('regi delete oci:', () => {
  test('frees content that only that image needs, named or not', async () => {
    const folder = temporaryFolder('layout');
    const layout = await openLayout(folder, { create: true, clock: instantClock() });
    await image.pushAll(layout, 'a');
    await other.pushAll(layout, 'b');
    await runMain(['tags', 'delete', `oci:${folder}:a`]);
    const { status, stdout } = await runMain([
      'delete',
      '--yes',
      '--json',
      `oci:${folder}@${image.root.digest}`,
    ]);
    const bytes = [...image.nodes.values()].reduce(
      (sum, { bytes: { byteLength } }) => sum + byteLength,
      0,
    );
    expect({ status, row: JSON.parse(stdout) as unknown }).toEqual({
      status: 0,
      row: { name: `oci:${folder}`, digest: image.root.digest, tags: [], bytes },
    });
    for (const { descriptor } of image.nodes.values())
      expect(await layout.exists(descriptor)).toBe(false);
    expect((await runMain(['verify', `oci:${folder}:b`])).status).toBe(0);
  });

  test('refuses an image that an index lists', async () => {
    const folder = temporaryFolder('layout');
    const index = makeIndex();
    await index.pushAll(await openLayout(folder, { create: true, clock: instantClock() }), 'all');
    const { status, stderr } = await runMain([
      'delete',
      '--yes',
      `oci:${folder}@${index.images[0]?.root.digest}`,
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('an image that stays needs it');
    expect((await runMain(['verify', `oci:${folder}:all`])).status).toBe(0);
  });

  test('sends to rmi for the local store', async () => {
    const { status, stderr } = await runMain(['delete', '--yes', `local:app@${image.root.digest}`]);
    expect(status).toBe(2);
    expect(stderr).toContain(`type: regi rmi app@${image.root.digest}`);
  });
});

describe('regi tags delete', () => {
  test('removes a tag and nothing else', async () => {
    const { status, stdout } = await runMain(['tags', 'delete', `${name}:1.4`]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `Untagged: ${name}:1.4\n` });
    expect(await tags()).toEqual(['1.5', 'latest']);
  });

  test('removes a tag of a layout and leaves its other tags', async () => {
    const folder = temporaryFolder('layout');
    const layout = await openLayout(folder, { create: true, clock: instantClock() });
    await image.pushAll(layout, 'a');
    await layout.tag(image.root, 'b');
    expect(await runMain(['tags', 'rm', `oci:${folder}:a`])).toMatchObject({
      status: 0,
      stdout: `Untagged: oci:${folder}:a\n`,
    });
    expect(readIndexJson(folder).manifests).toMatchObject([
      { digest: image.root.digest, annotations: { 'org.opencontainers.image.ref.name': 'b' } },
    ]);
    expect((await runMain(['tags', 'delete', `oci:${folder}:nope`])).status).toBe(3);
  });

  test.each([
    ['app', 'expected a tag, found none'],
    [`app:1@${image.root.digest}`, 'expected a tag, found a digest'],
    ['local:app:1', 'regi rmi app:1'],
    ['archive:x.tar:1', ''],
  ])('says what is wrong with %s', async (text, said) => {
    const { status, stderr } = await runMain(['tags', 'delete', text]);
    expect([2, 3]).toContain(status);
    expect(stderr).toContain(said);
  });

  test('deletes nothing when one argument is malformed', async () => {
    expect((await runMain(['tags', 'delete', `${name}:1.4`, name])).status).toBe(2);
    expect(registry.requests).toEqual([]);
  });
});

describe('regi tags delete where a registry deletes by digest only', () => {
  /** Distribution 2 refuses a tag in place of the digest. */
  beforeEach(() => {
    const body =
      '{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}';
    registry.fault({
      match: { method: 'DELETE', path: /manifests\/[^:]+$/ },
      times: 99,
      action: { kind: 'respond', status: 400, body },
    });
  });

  test('says so, and how', async () => {
    const { status, stderr } = await runMain(['tags', 'delete', `${name}:1.4`]);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `regi: Cannot delete "${name}:1.4": the registry deletes whole manifests only, with all their tags (status 400)\n` +
        `  add --via-dummy to move the tag to a throw-away manifest and delete that; or delete the image: regi delete ${name}@DIGEST\n`,
    );
  });

  test('removes one of two tags of a digest with --via-dummy', async () => {
    const { status, stdout } = await runMain(['tags', 'delete', '--via-dummy', `${name}:1.4`]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `Untagged: ${name}:1.4\n` });
    expect(await tags()).toEqual(['1.5', 'latest']);
    expect(await registry.place.open('team/app').resolve('latest')).toMatchObject({
      digest: image.root.digest,
    });
  });

  test('does not touch the tag where nothing can be deleted', async () => {
    registry.fault({
      match: { method: 'DELETE' },
      times: 99,
      action: { kind: 'respond', status: 405 },
    });
    expect((await runMain(['tags', 'delete', '--via-dummy', `${name}:1.4`])).status).toBe(1);
    expect(await registry.place.open('team/app').resolve('1.4')).toMatchObject({
      digest: image.root.digest,
    });
  });

  test('restores the tag when its throw-away manifest cannot be deleted', async () => {
    let deletes = 0;
    registry.fault({
      match: ({ method }) => method === 'DELETE' && (deletes += 1) > 1,
      times: 99,
      action: { kind: 'respond', status: 403 },
    });
    expect((await runMain(['tags', 'delete', '--via-dummy', `${name}:1.4`])).status).toBe(4);
    expect(await registry.place.open('team/app').resolve('1.4')).toMatchObject({
      digest: image.root.digest,
    });
  });

  test('is no flag for a layout', async () => {
    const folder = temporaryFolder('layout');
    await image.pushAll(await openLayout(folder, { create: true, clock: instantClock() }), 'a');
    expect((await runMain(['tags', 'delete', '--via-dummy', `oci:${folder}:a`])).status).toBe(2);
  });
});
