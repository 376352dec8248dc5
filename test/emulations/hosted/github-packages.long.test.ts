import { expect, test } from 'vitest';

import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { makeIndex } from '../../support/images/images.ts';
import { realClock } from '../../support/clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { describeCloud, type Cloud } from '../cloud-contract.ts';
import { githubPackages } from './github-packages.ts';

describeCloud('github-packages', () => githubPackages(), tests);
describeCloud('github-enterprise', () => githubPackages('docker.github.corp.example'), tests);

/** The same registry, at GitHub and in a GitHub Enterprise Server. */
function tests({ served, limit }: Cloud): void {
  test('an image is retagged although no manifest is known by its digest', async () => {
    expect(await served().regi(['tag', served().ref('1'), '2'])).toMatchObject({ status: 0 });
    expect((await served().regi(['digest', served().ref('2')])).stdout).toBe(
      (await served().regi(['digest', served().ref('1')])).stdout,
    );
    limit(
      'Manifests cannot be read by digest. regi reads them by the tag that named them and checks the digest.',
    );
  });

  test('an index is refused, and the reason is shown', async () => {
    const folder = temporaryFolder('layout');
    await makeIndex({ layers: [1000] }).pushAll(
      await openLayout(folder, { create: true, clock: realClock }),
      '1',
    );
    const { status, stderr } = await served().regi([
      'copy',
      `oci:${folder}:1`,
      served().ref('index'),
    ]);
    expect([status, stderr]).toEqual([
      3,
      expect.stringContaining('must pull using IMAGE_NAME:VERSION and not IMAGE_NAME:SHA'),
    ]);
    const others = await served().skopeo([
      'copy',
      '--quiet',
      '--all',
      `oci:${folder}:1`,
      `docker://${served().ref('index')}`,
    ]);
    expect(others).not.toMatchObject({ status: 0 });
    limit(
      'An index is refused, because it names its images by digest. `--platform` copies one of them.',
    );
  });

  test('one platform of an index goes', async () => {
    const folder = temporaryFolder('layout');
    await makeIndex({ layers: [1000] }).pushAll(
      await openLayout(folder, { create: true, clock: realClock }),
      '1',
    );
    expect(
      await served().regi([
        'copy',
        '--platform',
        'linux/arm64',
        `oci:${folder}:1`,
        served().ref('one'),
      ]),
    ).toMatchObject({ status: 0 });
  });

  test('a name that is not OWNER/REPOSITORY/IMAGE is not there', async () => {
    expect((await served().regi(['digest', served().ref('1', 'octocat/app')])).status).toBe(3);
    limit('Repository names are OWNER/REPOSITORY/IMAGE, and no deeper.');
  });
}
