import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [one, two, index] = [makeImage({ seed: 1 }), makeImage({ seed: 2 }), makeIndex({ seed: 3 })];

function tagsOf(repository: string): Promise<readonly string[]> {
  return skopeo.listTags(`docker://${repository}`);
}

describeReal('regi sync between docker-registry and others', ['docker-registry', 'skopeo'], () => {
  test('a registry that deletes no tag alone is pruned with viaDummy; skopeo sees the same tags', async () => {
    const [staging, source, mirror] = await Promise.all([
      startFakeRegistry(),
      startDockerRegistry({ delete: true }),
      startDockerRegistry({ delete: true }),
    ]);
    await one.pushAll(staging.place.open('app'), '1.0');
    await two.pushAll(staging.place.open('app'), '1.1');
    await index.pushAll(staging.place.open('app'), '1.2');
    await runMain(['copy', '--all-tags', `${staging.host}/app`, `${source.host}/app`]);
    const cwd = temporaryFolder('sync');
    const sync = (): ReturnType<typeof runMain> =>
      runMain(['sync', 'mirror.yaml', '--state', join(cwd, 'state')], { cwd });
    const write = (prune: string): void =>
      writeFileSync(
        join(cwd, 'mirror.yaml'),
        `version: 1\nimages: [{ from: ${source.host}/app, to: ${mirror.host}/app, prune: ${prune} }]\n`,
      );
    write('true');
    expect(await sync()).toMatchObject({ status: 0 });
    expect(await tagsOf(`${mirror.host}/app`)).toEqual(['1.0', '1.1', '1.2']);
    expect(await sync()).toMatchObject({ status: 0, stdout: '' });
    await runMain(['tags', 'delete', '--via-dummy', `${source.host}/app:1.1`]);
    const refused = await sync();
    expect(refused.status).toBe(8);
    expect(refused.stderr).toContain('viaDummy');
    expect(await tagsOf(`${mirror.host}/app`)).toEqual(['1.0', '1.1', '1.2']);
    write('{ viaDummy: true }');
    expect(await sync()).toMatchObject({
      status: 0,
      stdout: `deleted ${mirror.host}/app:1.1@${two.root.digest}\n`,
    });
    expect(await tagsOf(`${mirror.host}/app`)).toEqual(['1.0', '1.2']);
  });
});
