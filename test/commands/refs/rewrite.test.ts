import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { folderWith, pod, runRefs as run } from '../../support/cli/refs.ts';
import { makeImage } from '../../support/images/images.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let registry: FakeRegistry;
let digest: string;

beforeAll(async () => {
  const place = createMemoryPlace();
  const image = makeImage();
  await image.pushAll(place.open('team/app'), '1');
  digest = image.root.digest;
  registry = await startFakeRegistry({ place });
});

describe('regi refs rewrite', () => {
  test('prints a diff and changes no file', async () => {
    const text = pod('nginx:1.25', 'quay.io/acme/app:2');
    const cwd = folderWith({ 'pod.yaml': text });
    const { status, stdout } = await run(cwd, ['rewrite', '--to', 'm.test:5000/hub']);
    expect(status).toBe(0);
    expect(stdout).toBe(
      '--- a/pod.yaml\n+++ b/pod.yaml\n@@ -2,5 +2,5 @@\n kind: Pod\n spec:\n   containers:\n' +
        '-    - image: nginx:1.25\n+    - image: m.test:5000/hub/library/nginx:1.25\n' +
        '-    - image: quay.io/acme/app:2\n+    - image: m.test:5000/hub/acme/app:2\n',
    );
    expect(readFileSync(join(cwd, 'pod.yaml'), 'utf8')).toBe(text);
  });

  test.each([
    ['LF', pod('nginx:1')],
    ['CRLF', pod('nginx:1').replaceAll('\n', '\r\n')],
    ['no last line break', pod('nginx:1').trimEnd()],
  ])('prints a diff that patch applies: %s', async (_, text) => {
    const cwd = folderWith({ 'pod.yaml': text });
    const { stdout } = await run(cwd, ['rewrite', '--to', 'm.test']);
    execFileSync('git', ['apply', '-'], { cwd, input: stdout });
    expect(readFileSync(join(cwd, 'pod.yaml'), 'utf8')).toBe(
      text.replace('nginx:1', 'm.test/library/nginx:1'),
    );
  });

  test('--in-place leaves alone a file that only a link in the folder leads to', async () => {
    const cwd = folderWith({ 'outside/pod.yaml': pod('nginx:1'), 'a/pod.yaml': pod('nginx:1') });
    symlinkSync('../outside/pod.yaml', join(cwd, 'a/link.yaml'));
    symlinkSync('pod.yaml', join(cwd, 'a/same.yaml'));
    const { status, stderr } = await run(cwd, ['rewrite', '--to', 'm.test', '--in-place', 'a']);
    expect(status).toBe(8);
    expect(stderr).toContain('a/link.yaml: left alone: a link leads to it');
    expect(stderr).toContain('Rewrote 1 reference');
    expect(readFileSync(join(cwd, 'outside/pod.yaml'), 'utf8')).toBe(pod('nginx:1'));
    expect(readFileSync(join(cwd, 'a/pod.yaml'), 'utf8')).toBe(pod('m.test/library/nginx:1'));
  });

  test('--in-place changes no file when one of the named paths is a link', async () => {
    const cwd = folderWith({ 'a.yaml': pod('nginx:1'), 'real/b.yaml': pod('nginx:1') });
    symlinkSync('real/b.yaml', join(cwd, 'b.yaml'));
    const args = ['rewrite', '--to', 'm.test', '--in-place', 'a.yaml', 'b.yaml'];
    expect((await run(cwd, args)).status).toBe(1);
    expect(readFileSync(join(cwd, 'a.yaml'), 'utf8')).toBe(pod('nginx:1'));
  });

  test('never rewrites bytes that are not UTF-8', async () => {
    const bytes = Buffer.from(`# caf\xe9\n${pod('nginx:1')}`, 'latin1');
    const cwd = folderWith({ 'other.yaml': pod('redis:7') });
    writeFileSync(join(cwd, 'pod.yaml'), bytes);
    const { stderr } = await run(cwd, ['rewrite', '--to', 'm.test', '--in-place']);
    expect(stderr).toContain('such as pod.yaml (it is not UTF-8)');
    expect(readFileSync(join(cwd, 'pod.yaml'))).toEqual(bytes);
  });

  test('as a post-renderer, fails instead of printing nothing for input that is no YAML', async () => {
    const options = { stdin: 'a: [\n' };
    const { status, stdout } = await run(
      temporaryFolder(),
      ['rewrite', '--to', 'm.test', '-'],
      options,
    );
    expect({ status, stdout }).toEqual({ status: 8, stdout: '' });
  });

  test('--digests resolves no guess, unless guesses are rewritten', async () => {
    const values = `image:\n  repository: ${registry.host}/team/app\n  tag: "1"\n  digest: ""\nside:\n  image:\n    repository: ${registry.host}/team/none\n    tag: ""\n`;
    const cwd = folderWith({ 'values.yaml': values });
    const args = ['rewrite', '--to', 'm.test', '--digests', '--in-place'];
    expect((await run(cwd, args)).status).toBe(0);
    expect(readFileSync(join(cwd, 'values.yaml'), 'utf8')).toContain(`digest: "${digest}"`);
  });

  test('--in-place keeps the mode, and a second run changes nothing', async () => {
    const cwd = folderWith({ 'pod.yaml': pod('nginx:1.25') });
    chmodSync(join(cwd, 'pod.yaml'), 0o640);
    const args = ['rewrite', '--to', 'm.test/hub', '--in-place'];
    expect((await run(cwd, args)).status).toBe(0);
    expect(readFileSync(join(cwd, 'pod.yaml'), 'utf8')).toBe(pod('m.test/hub/library/nginx:1.25'));
    expect(statSync(join(cwd, 'pod.yaml')).mode % 0o1000).toBe(0o640);
    const again = await run(cwd, args);
    expect(again.stderr).toContain('Rewrote 0 references');
  });

  test('--sync maps as the entries of that file', async () => {
    const cwd = folderWith({
      'mirror.yaml':
        "version: 1\nimages:\n  - { from: 'quay.io/acme/**', to: 'm.test/acme/{rest}' }\n  - { from: docker.io/library/nginx, to: m.test/web }\n",
      'pod.yaml': pod('quay.io/acme/a/b:1', 'nginx:1', 'redis:7'),
    });
    const { stdout } = await run(cwd, [
      'rewrite',
      '--sync',
      'mirror.yaml',
      '--in-place',
      'pod.yaml',
    ]);
    expect(stdout).toBe('');
    expect(readFileSync(join(cwd, 'pod.yaml'), 'utf8')).toBe(
      pod('m.test/acme/a/b:1', 'm.test/web:1', 'redis:7'),
    );
  });

  test('follows no link in place', async () => {
    const cwd = folderWith({ 'real/pod.txt': pod('nginx:1') });
    symlinkSync('real/pod.txt', join(cwd, 'pod.yaml'));
    const { status, stderr } = await run(cwd, [
      'rewrite',
      '--to',
      'm.test',
      '--in-place',
      'pod.yaml',
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('it is a link');
  });

  test('prints standard input rewritten, changed or not', async () => {
    const options = { stdin: pod('nginx:1') };
    const { stdout } = await run(temporaryFolder(), ['rewrite', '--to', 'm.test', '-'], options);
    expect(stdout).toBe(pod('m.test/library/nginx:1'));
    const plain = await run(temporaryFolder(), ['rewrite', '--to', 'm.test', '-'], {
      stdin: 'a: b\n',
    });
    expect(plain.stdout).toBe('a: b\n');
  });

  test('as a post-renderer, keeps every byte beside the references', async () => {
    const odd = pod('nginx:1').replaceAll('\n', '\r\n') + '# \u202E \u200B \u001B[0m \uFEFF é\n';
    const { stdout } = await run(temporaryFolder(), ['rewrite', '--to', 'm.test', '-'], {
      stdin: `\uFEFF${odd}`,
    });
    expect(stdout).toBe(`\uFEFF${odd}`.replace('nginx:1', 'm.test/library/nginx:1'));
  });

  test('stops before any file when two images would get one name', async () => {
    const cwd = folderWith({ 'pod.yaml': pod('r.test/app:1', 'q.test/app:1') });
    const { status, stderr } = await run(cwd, ['rewrite', '--to', 'm.test', '--in-place']);
    expect(status).toBe(2);
    expect(stderr).toContain('both become "m.test/app"');
    expect(readFileSync(join(cwd, 'pod.yaml'), 'utf8')).toBe(pod('r.test/app:1', 'q.test/app:1'));
  });

  test('reports what bytes cannot change, and ends with 8', async () => {
    const text = pod('"nginx\\u003a1"', 'redis:7');
    const { status, stdout, stderr } = await run(folderWith({ 'pod.yaml': text }), [
      'rewrite',
      '--to',
      'm.test',
    ]);
    expect(status).toBe(8);
    expect(stderr).toContain('pod.yaml:5:15: left nginx:1 alone: the text is folded or escaped');
    expect(stdout).toContain('+    - image: m.test/library/redis:7');
  });

  test('leaves an anchor alone that is also used where no image is meant', async () => {
    const text = `${pod('&v nginx:1')}metadata:\n  labels: { version: *v }\n`;
    const { status, stderr } = await run(folderWith({ 'pod.yaml': text }), [
      'rewrite',
      '--to',
      'm.test',
    ]);
    expect(status).toBe(8);
    expect(stderr).toContain('its anchor is also used where no image is meant');
  });

  test('writes registry and repository where keys are split, and never a digest into a tag', async () => {
    const name = `${registry.host}/team/app`;
    const values = `image:\n  registry: ${registry.host}\n  repository: team/app\n  tag: "1"\nother:\n  image:\n    repository: ${name}\n    tag: "1"\n    digest: ""\n`;
    const cwd = folderWith({ 'values.yaml': values });
    const { status, stderr } = await run(cwd, [
      'rewrite',
      '--to',
      'm.test/hub',
      '--digests',
      '--in-place',
    ]);
    expect(readFileSync(join(cwd, 'values.yaml'), 'utf8')).toBe(
      `image:\n  registry: m.test\n  repository: hub/team/app\n  tag: "1"\nother:\n  image:\n    repository: m.test/hub/team/app\n    tag: "1"\n    digest: "${digest}"\n`,
    );
    expect(status).toBe(8);
    expect(stderr).toContain('there is no digest key, and a tag key takes no digest');
  });
});
