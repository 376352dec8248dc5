import { existsSync, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { leftovers } from '../../support/images/layout-folder.ts';
import { largeLayout } from '../../support/images/large-layout.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi, spawnRegi } from '../../support/cli/regi.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { startThrottleProxy } from '../../support/http/throttle-proxy.ts';

const MIB = 1024 * 1024;

/** Files of a folder and all below it. */
function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

describeReal('regi with large layers', ['docker-registry'], () => {
  test('copies a layer of 2 GiB in less than 150 MB of memory, from a layout and between registries', async () => {
    const { image, digest } = await largeLayout(2048 * MIB);
    const [a, b] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);

    const pushed = await runRegi(['copy', image, `${a.host}/big:1`]);
    const copied = await runRegi(['copy', `${a.host}/big:1`, `${b.host}/big:1`]);

    expect(pushed).toMatchObject({ status: 0, stdout: `${a.host}/big:1@${digest}\n` });
    expect(copied).toMatchObject({ status: 0, stdout: `${b.host}/big:1@${digest}\n` });
    for (const { peakBytes } of [pushed, copied]) expect(peakBytes).toBeLessThan(150_000_000);
  });

  test('exports an image of 1 GiB in less than 110 MB of memory, with no copy beside the archive', async () => {
    const { image, digest } = await largeLayout(1024 * MIB);
    const registry = await startDockerRegistry();
    await runRegi(['copy', image, `${registry.host}/big:1`]);
    const [cwd, temps] = [temporaryFolder('export'), temporaryFolder('temps')];
    const touched = new Set<string | null>();
    const watchers = [cwd, temps].map((folder) =>
      watch(folder, (_event, name) => void touched.add(name)),
    );

    const exported = await runRegi(['export', `${registry.host}/big:1`, '-o', 'b.tar'], {
      cwd,
      env: { TMPDIR: temps },
    });
    for (const watcher of watchers) watcher.close();

    expect(exported).toMatchObject({ status: 0, stdout: `archive:b.tar@${digest}\n` });
    expect(exported.peakBytes).toBeLessThan(110_000_000);
    expect(
      [...touched].filter(
        (name) =>
          !/^b\.tar(?:\.part(?:\.journal|\.lock)?)?$/.test(name ?? '') &&
          !name?.startsWith('.regi-'),
      ),
    ).toEqual([]);
    expect(statSync(join(cwd, 'b.tar')).size).toBeLessThan(1025 * MIB);
  });

  test('leaves no tag when it is interrupted, and cancels its upload', async () => {
    const { image } = await largeLayout(64 * MIB);
    const registry = await startDockerRegistry();
    const slow = await startThrottleProxy(registry.host, { bytesPerSecond: 8 * MIB });
    const running = spawnRegi(['copy', image, `${slow.host}/big:1`]);
    await slow.transferred(4 * MIB);
    slow.throttle({ bytesPerSecond: MIB / 4 });
    await expect.poll(() => registry.uploadedBytes()).toBeGreaterThan(MIB);

    running.process.kill('SIGINT');
    slow.throttle({});
    const { status, stdout } = await running.finished;

    expect(status).toBe(130);
    expect(stdout).toBe('');
    expect((await fetch(`${registry.url}/v2/big/manifests/1`)).status).toBe(404);
    // Registry 2.8 has forgotten the session of a cut request by then, and answers 404 when it is
    // asked what it has; its own purge frees the bytes.
    const asked = (await registry.requests()).filter(
      ({ method, path }) => method === 'GET' && path.includes('/blobs/uploads/'),
    );
    expect(asked.map((request) => request.status)).toEqual([404]);
  });

  test('leaves in a layout only what the next run resumes when it is interrupted', async () => {
    const { image } = await largeLayout(64 * MIB);
    const registry = await startDockerRegistry();
    await runRegi(['copy', image, `${registry.host}/big:1`]);
    const slow = await startThrottleProxy(registry.host, { bytesPerSecond: 8 * MIB });
    const folder = temporaryFolder('interrupted');
    const running = spawnRegi(['copy', `${slow.host}/big:1`, `oci:${folder}/out:1`]);
    await slow.transferred(4 * MIB);
    slow.throttle({ bytesPerSecond: MIB / 2 });
    await expect
      .poll(() =>
        leftovers(join(folder, 'out')).some(
          (name) => statSync(join(folder, 'out', name)).size > 3 * MIB,
        ),
      )
      .toBe(true);

    running.process.kill('SIGINT');

    expect((await running.finished).status).toBe(130);
    expect(
      filesBelow(join(folder, 'out', 'blobs')).every(
        (name) => statSync(join(folder, 'out', 'blobs', name)).size < MIB,
      ),
    ).toBe(true);
    expect((await runRegi(['digest', `oci:${folder}/out:1`])).status).toBe(3);
    expect(leftovers(join(folder, 'out')).map((name) => name.slice(0, 10))).toEqual(['.regi-part']);

    slow.throttle({});
    const before = slow.bytesDown;
    expect((await runRegi(['copy', `${slow.host}/big:1`, `oci:${folder}/out:1`])).status).toBe(0);
    expect(slow.bytesDown - before).toBeLessThan(62 * MIB);
    expect(leftovers(join(folder, 'out'))).toEqual([]);
  });
});
