import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from '../../support/cli/io.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const POD = 'apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: nginx:1.25\n';

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
    expect(stderr).toContain('Did not read 1 file: binary content, such as binary.yaml');
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

  test('ends with 3 for a path that does not exist', async () => {
    const { status, stderr } = await find(temporaryFolder(), ['missing']);
    expect(status).toBe(3);
    expect(stderr).toContain('Cannot find "missing": there is no such file or folder');
  });
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

async function find(
  cwd: string,
  args: readonly string[] = [],
  options: FakeIoOptions = {},
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const io: FakeIo = fakeIo({ cwd, ...options });
  const status = await main(['refs', 'find', ...args], io);
  return { status, stdout: io.stdoutText(), stderr: io.stderrText() };
}
