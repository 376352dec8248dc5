import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { fakeIo, type FakeIoOptions } from '../../support/cli/io.ts';
import { folderWith, pod, runRefs } from '../../support/cli/refs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const POD = pod('nginx:1.25');

describe('regi refs find', () => {
  test('prints a line per reference with its place, its level and why', async () => {
    const cwd = folderWith({ 'pod.yaml': POD, Dockerfile: 'FROM debian:12\n' });
    const { status, stdout, stderr } = await find(cwd);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(
      'Dockerfile:1:6 exact debian:12 (FROM)\n' +
        'pod.yaml:5:14 exact nginx:1.25 (image of a container of kind Pod)\n',
    );
  });

  test('prints objects with --json', async () => {
    const { stdout } = await find(folderWith({ 'pod.yaml': POD }), ['--json']);
    expect(JSON.parse(stdout)).toEqual({
      file: 'pod.yaml',
      line: 5,
      column: 14,
      reference: 'nginx:1.25',
      level: 'exact',
      kind: 'image',
      why: 'image of a container of kind Pod',
    });
  });

  test('prints each image once and no chart with --list', async () => {
    const chart =
      'apiVersion: v2\nname: a\ndependencies:\n  - { name: db, version: 1.0.0, repository: "oci://r.test/charts" }\n';
    const cwd = folderWith({ 'a.yaml': POD, 'b.yaml': POD, 'Chart.yaml': chart });
    expect((await find(cwd, ['--list'])).stdout).toBe('nginx:1.25\n');
  });

  test('reads standard input', async () => {
    const { stdout } = await find(temporaryFolder(), ['-'], { stdin: POD });
    expect(stdout).toContain('-:5:14 exact nginx:1.25');
  });

  test('names variables without a value, and invents nothing', async () => {
    const cwd = folderWith({ 'compose.yaml': 'services:\n  app:\n    image: ${APP}:1\n' });
    const { status, stdout, stderr } = await find(cwd);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain('compose.yaml:3:12: ${APP}:1 names no image: APP has no value');
  });

  test.each([
    ['pod.yaml', POD.replace('nginx:1.25', 'Nginx:1'), '"Nginx:1" is no valid image name'],
    ['Dockerfile', 'FROM Nginx:1\n', '"Nginx:1" is no valid image name'],
    ['compose.yaml', 'services: { a: { image: Nginx } }\n', '"Nginx" is no valid image name'],
    ['pod.yaml', POD.replace('nginx:1.25', '$(params.a)'), '$(params.a) names no image: params.a'],
    [
      'flux.yaml',
      'apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nspec: { url: "oci://r.test/a", ref: { semver: 1.x } }\n',
      'r.test/a has the version range 1.x: name a tag to find it',
    ],
    [
      'kustomization.yaml',
      'images: [{ name: nginx, newTag: 1.10 }]\n',
      "newTag: 1.10 is a number, which kustomize refuses; write '1.10'",
    ],
    [
      'map.yaml',
      'apiVersion: v1\nkind: ConfigMap\ndata:\n  injector: |\n    {{ if .a }}\n    image: x\n',
      'injector is a template: its images are not known before it is rendered',
    ],
    [
      'map.yaml',
      `apiVersion: v1\nkind: ConfigMap\ndata:\n  pod: |\n${POD.replace('nginx:1.25', '${A}').replaceAll(/^/gm, '    ')}`,
      'map.yaml:9:18: ${A} names no image: A has no value',
    ],
  ])('reports what names no image in %s', async (path, text, message) => {
    const { stderr } = await find(folderWith({ [path]: text }));
    expect(stderr).toContain(message);
  });

  test('tells of an unquoted number that Helm changes', async () => {
    const values = 'image:\n  repository: r.test/app\n  tag: 1.10\n';
    const { stdout, stderr } = await find(folderWith({ 'values.yaml': values }));
    expect(stdout).toContain('r.test/app:1.1 ');
    expect(stderr).toContain("values.yaml:3:8: tag: 1.10 is the number 1.1; write '1.10'");
  });

  test('counts the files that it did not read, and says what to type', async () => {
    const cwd = folderWith({
      'chart/templates/a.yaml': '{{ if .x }}\nimage: {{ .y }}\n{{ end }}\n',
      'chart/templates/b.yaml': 'image: "{{ .y }}"\n',
      'chart/charts/sub.tgz': 'x',
      'broken.yaml': 'a: [\n',
      'binary.yaml': 'a\0b',
    });
    const { status, stderr } = await find(cwd);
    expect(status).toBe(0);
    expect(stderr).toContain(
      'Did not read 2 files: templates of a chart, such as chart/templates/a.yaml',
    );
    expect(stderr).toContain('helm template CHART | regi refs find -');
    expect(stderr).toContain('Did not read 1 file: packed charts, such as chart/charts/sub.tgz');
    expect(stderr).toContain('Did not read 1 file: not valid YAML, such as broken.yaml');
    expect(stderr).toContain('Did not read 1 file: no text in UTF-8, such as binary.yaml');
  });

  test('images find hints at it', async () => {
    const io = fakeIo({ cwd: temporaryFolder() });
    expect(await main(['images', 'find', 'deploy'], io)).not.toBe(0);
    const one = fakeIo({ cwd: temporaryFolder() });
    await main(['images', 'find'], one);
    expect(one.stderrText()).toContain('regi refs find PATH');
  });

  test('skips .git and node_modules, and ends in a loop of links', async () => {
    const cwd = folderWith({
      '.git/pod.yaml': POD,
      'node_modules/pod.yaml': POD,
      'a/pod.yaml': POD,
    });
    symlinkSync('..', join(cwd, 'a/up'));
    expect((await find(cwd)).stdout.trim().split('\n')).toHaveLength(1);
  });

  test('prints a file once that is named twice, or that a link leads to', async () => {
    const cwd = folderWith({ 'a/pod.yaml': POD, 'b/other.txt': '' });
    symlinkSync('pod.yaml', join(cwd, 'a/link.yaml'));
    symlinkSync('../a', join(cwd, 'b/folder'));
    const { stdout } = await find(cwd, ['a', 'b', 'a/pod.yaml']);
    expect(stdout.split('\n')).toEqual([expect.stringMatching(/^a\/pod\.yaml:5:14 /), '']);
  });

  test('follows a link that leads out of the paths', async () => {
    const cwd = folderWith({ 'outside/pod.yaml': POD, 'a/readme.md': '' });
    symlinkSync('../outside', join(cwd, 'a/link'));
    expect((await find(cwd, ['a'])).stdout).toMatch(/^a\/link\/pod\.yaml:5:14 /);
  });

  test('reads a link under the name that says its format', async () => {
    const cwd = folderWith({ 'a/pod.data': POD });
    symlinkSync('pod.data', join(cwd, 'a/pod.yaml'));
    expect((await find(cwd, ['a'])).stdout).toMatch(/^a\/pod\.yaml:5:14 /);
  });

  test.each([
    ['standard input', ['-'], { stdin: 'a: [\n' }, '-'],
    ['a named file', ['broken.yaml', 'pod.yaml'], {}, 'broken.yaml'],
    ['a named file in another encoding', ['latin.yaml', 'pod.yaml'], {}, 'latin.yaml'],
    ['a named chart', ['chart.tgz'], {}, 'chart.tgz'],
    ['a named template', ['templates/a.yaml'], {}, 'templates/a.yaml'],
  ])('ends with 8 when it cannot read %s', async (_, args, options, path) => {
    const cwd = folderWith({
      'broken.yaml': 'a: [\n',
      'pod.yaml': POD,
      'chart.tgz': 'x',
      'templates/a.yaml': 'a: {{ .b }}\n',
    });
    writeFileSync(join(cwd, 'latin.yaml'), Buffer.from('# caf\xe9\n', 'latin1'));
    const { status, stderr } = await find(cwd, args, options);
    expect(status).toBe(8);
    expect(stderr).toContain(`Cannot search "${path}"`);
  });

  test('passes over a named file that no format knows, as a shell pattern names it', async () => {
    const cwd = folderWith({ 'logo.png': 'a\0b', 'pod.yaml': POD });
    const { status, stderr } = await find(cwd, ['logo.png', 'pod.yaml']);
    expect(status).toBe(0);
    expect(stderr).toContain('such as logo.png');
  });

  test('refuses a pipe, and says what to type', async () => {
    const { status, stderr } = await find(temporaryFolder(), ['/dev/null']);
    expect(status).toBe(2);
    expect(stderr).toContain('Cannot search "/dev/null": it is neither a file nor a folder');
    expect(stderr).toContain('COMMAND | regi refs find -');
  });

  test('one file whose aliases expand without bound does not sink the others', async () => {
    const lines = ['a: &a0 [image, image]'];
    for (let level = 1; level < 40; level += 1)
      lines.push(`b${level}: &a${level} [*a${level - 1}, *a${level - 1}]`);
    const cwd = folderWith({ 'bomb.yaml': lines.join('\n'), 'pod.yaml': POD });
    const { status, stdout, stderr } = await find(cwd);
    expect(status).toBe(0);
    expect(stdout).toContain('pod.yaml:5:14');
    expect(stderr).toContain('such as bomb.yaml');
  });

  test('reads more than 200,000 values from standard input, as charts with their CRDs have', async () => {
    const stdin = `[${'0,'.repeat(200_001)}]\n---\n${POD}`;
    const { status, stdout } = await find(temporaryFolder(), ['-'], { stdin });
    expect(status).toBe(0);
    expect(stdout).toContain('nginx:1.25');
  });

  test('ends with 3 for a path that does not exist', async () => {
    const { status, stderr } = await find(temporaryFolder(), ['missing']);
    expect(status).toBe(3);
    expect(stderr).toContain('Cannot find "missing": there is no such file or folder');
  });
});

async function find(
  cwd: string,
  args: readonly string[] = [],
  options: FakeIoOptions = {},
): ReturnType<typeof runRefs> {
  return runRefs(cwd, ['find', ...args], options);
}
