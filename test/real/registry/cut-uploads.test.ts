import { expect, test } from 'vitest';

import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage } from '../../support/images/images.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { startThrottleProxy } from '../../support/http/throttle-proxy.ts';

const IMAGE = makeImage({ layers: [12_000_000] });

describeReal(
  'uploads to docker-registry 2.8, which forgets a session that was cut',
  ['docker-registry'],
  () => {
    test.each([[[]], [['--chunk-size', '3000000']]])(
      'a cut starts the blob again (%j)',
      async (flags) => {
        const [from, to] = [await startFakeRegistry(), await startDockerRegistry()];
        await IMAGE.pushAll(from.place.open('app'), 'v1');
        const line = await startThrottleProxy(to.host, { bytesPerSecond: 40_000_000 });
        const running = runMain([
          'copy',
          '-v',
          ...flags,
          `${from.host}/app:v1`,
          `${line.host}/app:v1`,
        ]);
        await line.transferred(5_000_000);
        // A busy registry has not read yet what the kernel holds for it, and forgets no session of
        // which it has nothing.
        line.throttle({ bytesPerSecond: 1000 });
        await expect.poll(() => to.uploadedBytes()).toBeGreaterThan(3_000_000);
        line.cut();
        line.throttle({});

        const { status, stderr } = await running;

        expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
        expect(stderr).toMatch(/GET http:\S+uploads\S+ 404/);
        expect((await runMain(['verify', `${to.host}/app:v1`])).status).toBe(0);
      },
    );
  },
);
