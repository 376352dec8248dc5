import { beforeAll, describe, expect, test } from 'vitest';

import { encodedOf } from '../../../src/oci/digest.ts';
import { columnsOf } from '../../../src/render/text.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { layoutMembers } from '../../support/images/archives.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { writeTar } from '../../support/images/tar-builder.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';

const [APP, DEBIAN] = [makeIndex({ seed: 1 }), makeImage({ seed: 2 })];
/** An SBOM of one platform, its signature, and a signature of cosign. */
const SBOM = makeArtifact({ seed: 3, subject: APP.images[1]?.root });
const SIGNED_SBOM = makeArtifact({ seed: 4, subject: SBOM.root });
const SIGNATURE = makeImage({ seed: 5 });

const APP_NAME = 'registry.example/team/app';

let to: FakeRegistry;
let path: string;

beforeAll(async () => {
  to = await startFakeRegistry();
  path = writeTar(
    layoutMembers([
      { image: APP, refName: '1', fullName: `${APP_NAME}:1` },
      ...[SBOM, SIGNED_SBOM].map((image) => ({
        image,
        fullName: `${APP_NAME}@${image.root.digest}`,
      })),
      {
        image: SIGNATURE,
        refName: `sha256-${encodedOf(APP.root.digest)}.sig`,
        fullName: `${APP_NAME}:sha256-${encodedOf(APP.root.digest)}.sig`,
      },
      { image: DEBIAN, refName: '12', fullName: 'docker.io/library/debian:12' },
    ]),
  );
});

function run(columns: number | undefined, ...flags: readonly string[]): Promise<MainResult> {
  const shown = columns === undefined ? {} : { columns };
  return runMain(['import', ...flags, path, `${to.host}/mirror`], {
    ...shown,
    env: { LANG: 'C.UTF-8' },
  });
}

describe('D15: regi import', () => {
  test('shows one line for each image on a terminal, and counts its referrers', async () => {
    const { stdout } = await run(140);
    const short = (digest: string): string => digest.slice(0, 19);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['NAME', 'DESTINATION', 'DIGEST', 'RESULT'],
      [
        `${APP_NAME}:1`,
        `${to.host}/mirror/team/app:1`,
        short(APP.root.digest),
        'copied with 3 referrers',
      ],
      [
        'docker.io/library/debian:12',
        `${to.host}/mirror/library/debian:12`,
        short(DEBIAN.root.digest),
        'copied',
      ],
    ]);
  });

  test.each([40, 80, 120])('has no line wider than a terminal of %d columns', async (columns) => {
    const { stdout } = await run(columns);
    expect(stdout.split('\n').filter((line) => columnsOf(line) >= columns)).toEqual([]);
    expect(stdout).toContain('team/app:1');
  });

  test('prints a line with its digest for each referrer in a pipe, and a row with --json', async () => {
    const { stdout } = await run(undefined);
    expect(stdout.trimEnd().split('\n')).toHaveLength(5);
    expect(stdout).toContain(`${to.host}/mirror/team/app@${SBOM.root.digest}`);
    const rows = (await run(140, '--json')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.map(({ digest }) => digest)).toEqual(
      expect.arrayContaining(
        [SBOM, SIGNED_SBOM, SIGNATURE, APP, DEBIAN].map(({ root }) => root.digest),
      ),
    );
  });
});
