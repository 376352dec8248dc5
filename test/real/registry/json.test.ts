import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { expectSchema, rowsOf } from '../../support/json-schema.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { realImages, type RealImages } from '../../support/images/rootfs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describeReal('output of regi --json with registry 2.8', ['docker-registry', 'buildah'], () => {
  let images: RealImages;
  let registry: DockerRegistry;

  beforeAll(async () => {
    images = await realImages();
    registry = await startDockerRegistry({ delete: true });
  }, 300_000);

  test('matches the schema for the commands of a day', async () => {
    const app = `${registry.host}/team/app`;
    const [cwd, home] = [temporaryFolder('json'), temporaryFolder('home')];
    writeFileSync(join(cwd, 'report.json'), '{}');
    const day: readonly (readonly [schema: string, ...argv: string[]])[] = [
      ['push', 'push', images.image, `${app}:1`],
      ['tag', 'tag', `${app}:1`, 'stable'],
      ['copy', 'copy', `${app}:1`, `${registry.host}/mirror/app:1`],
      [
        'attach',
        'attach',
        'report.json',
        '--to',
        `${app}:1`,
        '--type',
        'application/vnd.example.report',
      ],
      ['referrers', 'referrers', `${app}:1`],
      ['inspect', 'inspect', `${app}:1`],
      ['history', 'history', `${app}:1`],
      ['digest', 'digest', `${app}:1`],
      ['files', 'files', `${app}:1`],
      ['tags list', 'tags', 'list', '--digests', app],
      ['repos list', 'repos', 'list', registry.host],
      ['verify', 'verify', `${app}:1`],
      ['doctor', 'doctor', app],
      ['pull', 'pull', `${app}:1`],
      ['images', 'images'],
      ['export', 'export', `${app}:1`, '-o', 'app.tar'],
      ['import', 'import', 'app.tar', `${registry.host}/imported`],
      ['index create', 'index', 'create', `${registry.host}/made/app:1`, `${app}:1`],
      ['rmi', 'rmi', `${app}:1`],
      ['prune', 'prune'],
      ['delete', 'delete', '--yes', `${app}@${images.imageDigest}`],
    ];
    for (const [schema, ...argv] of day) {
      const { status, stdout, stderr } = await runRegi([...argv, '--json'], {
        cwd,
        env: { HOME: home },
      });
      expect(status, `${argv.join(' ')}: ${stderr}`).toBe(0);
      for (const row of rowsOf(stdout)) expectSchema(schema, row);
    }
  }, 300_000);
});
