import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

interface IndexJson {
  readonly manifests: readonly Record<string, unknown>[];
}

describeReal(
  'regi attaches and edits indexes on docker-registry, which knows no referrers',
  ['docker-registry', 'skopeo'],
  () => {
    let registry: DockerRegistry;
    let name: string;
    let digest: string;

    beforeAll(async () => {
      registry = await startDockerRegistry({ delete: true });
      name = `${registry.host}/team/app`;
      digest =
        (await runRegi(['push', tinyLayout(), `${name}:1`])).stdout.trim().split('@')[1] ?? '';
    });

    test('attach lists the artifact under the referrers tag, and copy --referrers copies it', async () => {
      const cwd = temporaryFolder('cwd');
      writeFileSync(join(cwd, 'sbom.json'), '{"spdxVersion":"SPDX-2.3"}');
      const { status, stdout } = await runRegi(
        ['attach', 'sbom.json', '--to', `${name}:1`, '--type', 'application/spdx+json'],
        { cwd },
      );
      expect(status).toBe(0);
      expect(
        (await runRegi(['copy', '--referrers', `${name}:1`, `${registry.host}/mirror/app:1`]))
          .status,
      ).toBe(0);
      for (const repository of ['team/app', 'mirror/app']) {
        const raw = await skopeo.run([
          'inspect',
          '--tls-verify=false',
          '--raw',
          `docker://${registry.host}/${repository}:${digest.replace(':', '-')}`,
        ]);
        const { manifests } = JSON.parse(raw.stdout) as IndexJson;
        expect(manifests).toMatchObject([
          { artifactType: 'application/spdx+json', digest: stdout.trim().split('@')[1] },
        ]);
      }
    });

    test('index create and remove write an index that skopeo reads', async () => {
      const created = await runRegi([
        'index',
        'create',
        `${name}:all`,
        `${name}:1`,
        '--annotation',
        'org.example.by=regi',
      ]);
      expect(created.stdout.trim()).toBe(
        `${name}:all@${await skopeo.digest(`docker://${name}:all`)}`,
      );
      const { stdout } = await skopeo.run([
        'inspect',
        '--tls-verify=false',
        '--raw',
        `docker://${name}:all`,
      ]);
      expect(JSON.parse(stdout)).toMatchObject({
        manifests: [{ digest, platform: { os: 'linux', architecture: 'amd64' } }],
      });
    });
  },
);
