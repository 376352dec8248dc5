import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { folderWith, runRefs as run } from '../../support/cli/refs.ts';

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

describe('regi refs rewrite of kustomizations', () => {
  const base = 'apiVersion: v1\nkind: Pod\nspec: { containers: [{ name: a, image: nginx:1 }] }\n';

  test('moves a selector along with the images of its bases', async () => {
    const overlay =
      'resources: [../base]\nimages:\n  - { name: nginx, newTag: "2" }\n  - { name: app, newName: quay.io/a/app }\n';
    const cwd = folderWith({
      'base/pod.yaml': base,
      'base/kustomization.yaml': 'resources: [pod.yaml]\n',
      'overlay/kustomization.yaml': overlay,
    });
    const { status, stderr } = await run(cwd, ['rewrite', '--to', 'm.test', '--in-place']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: 'Rewrote 3 references\n' });
    expect(readFileSync(join(cwd, 'base/pod.yaml'), 'utf8')).toContain('m.test/library/nginx:1');
    expect(readFileSync(join(cwd, 'overlay/kustomization.yaml'), 'utf8')).toBe(
      overlay.replace('name: nginx', 'name: m.test/library/nginx').replace('quay.io', 'm.test'),
    );
    const again = await run(cwd, ['rewrite', '--to', 'm.test', '--in-place']);
    expect(again.stderr).toBe('Rewrote 0 references\n');
  });

  test('moves the selector beside a newName too', async () => {
    const overlay =
      'resources: [pod.yaml]\nimages: [{ name: nginx, newName: quay.io/a/web, newTag: "2" }]\n';
    const cwd = folderWith({ 'pod.yaml': base, 'kustomization.yaml': overlay });
    expect((await run(cwd, ['rewrite', '--to', 'm.test', '--in-place'])).status).toBe(0);
    expect(readFileSync(join(cwd, 'kustomization.yaml'), 'utf8')).toBe(
      overlay.replace('name: nginx', 'name: m.test/library/nginx').replace('quay.io', 'm.test'),
    );
  });

  test('leaves a selector whose bases are not among the paths, and ends with 8', async () => {
    const overlay = 'resources: [../base]\nimages: [{ name: nginx, newTag: "2" }]\n';
    const cwd = folderWith({ 'base/pod.yaml': base, 'overlay/kustomization.yaml': overlay });
    const { status, stderr } = await run(cwd, ['rewrite', '--to', 'm.test', 'overlay']);
    expect(status).toBe(8);
    expect(stderr).toContain('the name selects images of the bases: add a newName');
  });

  test.runIf(hasKubectl)(
    'kubectl kustomize builds the same objects, with the new names',
    async () => {
      const cwd = folderWith({
        'base/pod.yaml': base.replace('kind: Pod\n', 'kind: Pod\nmetadata: { name: a }\n'),
        'base/kustomization.yaml': 'resources: [pod.yaml]\n',
        'overlay/kustomization.yaml':
          'resources: [../base]\nimages: [{ name: nginx, newTag: "2" }]\n',
      });
      const build = (): string =>
        execFileSync('kubectl', ['kustomize', join(cwd, 'overlay')], { encoding: 'utf8' });
      const before = build();
      await run(cwd, ['rewrite', '--to', 'm.test:5000/hub', '--in-place']);
      expect(before).toContain('image: nginx:2');
      expect(build()).toBe(before.replace('nginx:2', 'm.test:5000/hub/library/nginx:2'));
    },
  );
});
