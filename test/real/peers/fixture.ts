import { join } from 'node:path';

import { runRegi } from '../../support/cli/regi.ts';
import { realClock } from '../../support/clock.ts';
import { makeIndex, type TestImageIndex } from '../../support/images/images.ts';
import { startServe } from '../../support/registries/serve.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';

/** One index of two platforms, in every place that a peer may read. */
export interface Fixture {
  readonly image: TestImageIndex;
  /** The image of linux/amd64. */
  readonly amd64: TestImageIndex['images'][number];
  /** A layout that names the index `1`, and the image of linux/amd64 `amd64`. */
  readonly layout: string;
  /** `127.0.0.1:PORT` of a `regi serve` with the same two tags in `team/app`. */
  readonly host: string;
}

export async function makeFixture(seed = 1): Promise<Fixture> {
  const image = makeIndex({ seed, layers: [20_000, 3000] });
  const [amd64] = image.images;
  if (amd64 === undefined) throw new Error('An index has images');
  const layout = join(temporaryFolder('fixture'), 'layout');
  const store = await openLayout(layout, { create: true, clock: realClock });
  await image.pushAll(store, '1');
  await store.tag(amd64.root, 'amd64');
  const { host } = await startServe(['--memory']);
  for (const tag of ['1', 'amd64'])
    await regi('push', `oci:${layout}:${tag}`, `${host}/team/app:${tag}`);
  return { image, amd64, layout, host };
}

/** Runs the built regi. @throws {Error} with its standard error when it fails. */
export async function regi(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runRegi(['--quiet', ...args]);
  if (status !== 0) throw new Error(`regi ${args.join(' ')}: exit status ${status}\n${stderr}`);
  return stdout.trim();
}
