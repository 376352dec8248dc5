import { describe, expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';

const IMAGES = [1, 2, 3].map((seed) => makeImage({ seed }));

/** A registry with the tags t1, t2 and t3 of one repository. */
async function source(): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  for (const [at, image] of IMAGES.entries())
    await image.pushAll(registry.place.open('app'), `t${at + 1}`);
  return registry;
}

describe('regi copy of many images', () => {
  test('D4: prints a line per image with its tag and digest, and a summary on standard error', async () => {
    const [from, to] = [await source(), await startFakeRegistry()];
    await IMAGES[0]?.pushAll(to.place.open('app'), 't1');
    const { status, stdout, stderr } = await runMain([
      'copy',
      '--all-tags',
      `${from.host}/app`,
      `${to.host}/app`,
    ]);
    expect([status, stdout]).toEqual([
      0,
      IMAGES.map(({ root }, at) => `${to.host}/app:t${at + 1}@${root.digest}\n`).join(''),
    ]);
    expect(stderr).toMatch(
      /^3 images: 2 copied, 1 unchanged; \d+ blobs copied \(\S+ KiB\).* in \d+\.\d s$/m,
    );
  });

  test('D4: a line of the output is a reference that can be copied again', async () => {
    const [from, to] = [await source(), await startFakeRegistry()];
    const { stdout } = await runMain(['copy', `${from.host}/app:t1`, `${to.host}/app:new`]);
    expect(stdout).toBe(`${to.host}/app:new@${IMAGES[0]?.root.digest}\n`);
    const again = await runMain(['copy', stdout.trim(), `${to.host}/other:1`]);
    expect(again.status).toBe(0);
  });

  test('D5: --dry-run --json says what would be copied, with counts and bytes of each image', async () => {
    const [from, to] = [await source(), await startFakeRegistry()];
    await IMAGES[0]?.pushAll(to.place.open('app'), 't1');
    await IMAGES[1]?.pushAll(to.place.open('app'), 'other');
    const { stdout, stderr } = await runMain([
      'copy',
      '--dry-run',
      '--json',
      '--all-tags',
      `${from.host}/app`,
      `${to.host}/app`,
    ]);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    const none = { nodes: 0, bytes: 0 };
    const [, , third] = IMAGES;
    const blobs = [...(third?.nodes.values() ?? [])].filter(
      ({ descriptor }) => descriptor.digest !== third?.root.digest,
    );
    const all = {
      nodes: blobs.length,
      bytes: blobs.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
    };
    expect(rows).toMatchObject([
      { outcome: 'unchanged', changes: { upload: none, mount: none, existing: none } },
      { outcome: 'would-copy', changes: { upload: none } },
      { outcome: 'would-copy', changes: { upload: all, mount: none, existing: none } },
    ]);
    expect(JSON.parse(stderr)).toMatchObject({
      kind: 'summary',
      dryRun: true,
      images: { tagged: 2, unchanged: 1, kept: 0, failed: 0 },
    });
    expect(to.count('PUT') + to.count('POST')).toBe(0);
  });

  test('D5: --dry-run counts images in its summary', async () => {
    const [from, to] = [await source(), await startFakeRegistry()];
    const argv = ['copy', '--dry-run', '--all-tags', `${from.host}/app`, `${to.host}/app`];
    expect((await runMain(argv)).stderr).toMatch(
      /^3 images to copy; to upload: \d+ blobs .*; nothing was written$/m,
    );
  });

  test('D11: a missing login is one error, with its own status and hint', async () => {
    const from = await source();
    const to = await startFakeRegistry({ auth: { kind: 'basic', users: { ada: 'secret' } } });
    const argv = ['copy', '--keep-going', '--all-tags', `${from.host}/app`, `${to.host}/app`];
    const { status, stderr } = await runMain(argv);
    expect(status).toBe(4);
    expect(stderr.match(/needs a login/g)).toHaveLength(1);
    expect(stderr).toContain('regi: and 2 more for the same reason: ');
    expect(stderr.trimEnd().split('\n').slice(-2)).toEqual([
      'regi: Cannot finish: 3 of 3 images failed, all for one reason',
      `  regi login ${to.host}`,
    ]);
  });

  test('D11: images that are missing are named one by one, and the status is 8', async () => {
    const [from, to] = [await source(), await startFakeRegistry()];
    const list = ['t1', 'gone', 'lost']
      .map((tag) => `${from.host}/app:${tag} ${to.host}/app:${tag}\n`)
      .join('');
    const { status, stderr } = await runMain(['copy', '--keep-going', '--from', '-'], {
      stdin: list,
    });
    expect(status).toBe(8);
    expect(stderr).toContain('app:gone');
    expect(stderr).toContain('app:lost');
    expect(stderr).not.toContain('for the same reason');
  });

  test('D11: -v and --json report each error', async () => {
    const from = await source();
    const to = await startFakeRegistry({ auth: { kind: 'basic', users: { ada: 'secret' } } });
    const argv = ['copy', '--keep-going', '--all-tags', `${from.host}/app`, `${to.host}/app`];
    const { stderr } = await runMain([...argv, '--json']);
    expect(stderr.match(/"NOT_AUTHORISED"/g)).toHaveLength(4);
  });
});
