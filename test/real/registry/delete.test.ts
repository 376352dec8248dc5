import { beforeEach, expect, test } from 'vitest';

import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

describeReal(
  'regi deletes on docker-registry, where an image has two tags',
  ['docker-registry', 'skopeo'],
  () => {
    let registry: DockerRegistry;
    let name: string;
    let digest: string;

    beforeEach(async () => {
      registry = await startDockerRegistry({ delete: true });
      name = `${registry.host}/team/app`;
      const { stdout } = await runRegi(['push', tinyLayout(), `${name}:old`]);
      digest = stdout.trim().split('@')[1] ?? '';
      await runRegi(['tag', `${name}:old`, 'stable']);
    });

    test('tags delete explains that this registry deletes whole manifests only, and touches nothing', async () => {
      const { status, stderr } = await runRegi(['tags', 'delete', `${name}:old`]);
      expect(status).toBe(1);
      expect(stderr).toContain('add --via-dummy');
      expect(await skopeo.digest(`docker://${name}:old`)).toBe(digest);
    });

    test('tags delete --via-dummy removes the one tag and leaves the other', async () => {
      expect(await runRegi(['tags', 'delete', '--via-dummy', `${name}:old`])).toMatchObject({
        status: 0,
        stdout: `Untagged: ${name}:old\n`,
      });
      expect(
        (await skopeo.run(['inspect', '--tls-verify=false', `docker://${name}:old`])).status,
      ).not.toBe(0);
      expect(await skopeo.digest(`docker://${name}:stable`)).toBe(digest);
    });

    test('delete lists both tags, and removes both', async () => {
      const { status, stdout, stderr } = await runRegi(['delete', '--yes', `${name}@${digest}`]);
      expect({ status, lines: stdout.split('\n').sort() }).toEqual({
        status: 0,
        lines: [
          '',
          `Deleted: ${name}@${digest}`,
          `Untagged: ${name}:old`,
          `Untagged: ${name}:stable`,
        ],
      });
      expect(stderr).toMatch(/also removes 2 tags: (?:old, stable|stable, old)/);
      for (const tag of ['old', 'stable'])
        expect(
          (await skopeo.run(['inspect', '--tls-verify=false', `docker://${name}:${tag}`])).status,
        ).not.toBe(0);
    });
  },
);

describeReal(
  'regi deletes on docker-registry as it is installed, which deletes nothing',
  ['docker-registry'],
  () => {
    test('delete and tags delete --via-dummy report it, and the tag stays', async () => {
      const registry = await startDockerRegistry();
      const name = `${registry.host}/team/app`;
      const { stdout } = await runRegi(['push', tinyLayout(), `${name}:1`]);
      const deleted = await runRegi(['delete', '--yes', stdout.trim()]);
      const untagged = await runRegi(['tags', 'delete', '--via-dummy', `${name}:1`]);
      for (const { status, stderr } of [deleted, untagged]) {
        expect(status).toBe(1);
        expect(stderr).toContain('UNSUPPORTED "The operation is unsupported."');
        expect(stderr).toContain('disabled there');
      }
      expect((await runRegi(['digest', `${name}:1`])).stdout).toBe(
        `${stdout.trim().split('@')[1]}\n`,
      );
    });
  },
);
