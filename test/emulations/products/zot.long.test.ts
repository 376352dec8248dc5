import { expect, test } from 'vitest';

import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { describeCloud, layoutOf } from '../cloud-contract.ts';
import { zot } from './zot.ts';

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** An archive as `docker save` before version 25 writes it. */
async function dockerArchive(seed: number): Promise<string> {
  const { layout } = await layoutOf({ seed });
  const path = `${temporaryFolder('archive')}/app.tar`;
  await skopeo.copy(layout, `docker-archive:${path}:app:1`);
  return `docker-archive:${path}`;
}

let cloud: ReturnType<typeof zot>;

describeCloud(
  'zot',
  () => (cloud = zot()),
  ({ served, limit }) => {
    function typeOf(tag: string): string | undefined {
      const app = cloud.core.find('app');
      return app?.manifests.get(app.tags.get(tag) ?? '')?.mediaType;
    }

    test('A7: an archive in docker format becomes an image in OCI types, by skopeo and by regi', async () => {
      const archive = await dockerArchive(121);
      expect(
        await served().skopeo([
          'copy',
          '--quiet',
          archive,
          `docker://${served().ref('by-skopeo')}`,
        ]),
      ).toMatchObject({ status: 0 });
      expect(typeOf('by-skopeo')).toBe(OCI_MANIFEST);
      const copied = await served().regi(['copy', archive, served().ref('by-regi')]);
      expect(copied).toMatchObject({ status: 0 });
      expect(copied.stderr).toContain('OCI');
      expect(typeOf('by-regi')).toBe(OCI_MANIFEST);
      const { layout } = await layoutOf({ seed: 122, format: 'docker' });
      const exact = await served().regi(['copy', layout, served().ref('exact')]);
      expect([exact.status, exact.stderr]).toEqual([1, expect.stringContaining('--format oci')]);
      expect(
        await served().regi(['copy', '--format', 'oci', layout, served().ref('converted')]),
      ).toMatchObject({ status: 0 });
      expect(typeOf('converted')).toBe(OCI_MANIFEST);
      limit('It takes OCI media types only. regi writes an archive of docker in OCI types there.');
      limit(
        'An image in docker types, whose digest would change, is refused. Copy it with `--format oci`.',
      );
    });

    test('B14: a tag alone is removed by a dummy that fits the schema', async () => {
      const { layout, image } = await layoutOf({ seed: 123 });
      for (const tag of ['stays', 'goes']) await served().regi(['copy', layout, served().ref(tag)]);
      expect(
        await served().regi(['tags', 'delete', '--via-dummy', '--yes', served().ref('goes')]),
      ).toMatchObject({ status: 0 });
      expect((await served().regi(['digest', served().ref('goes')])).status).toBe(3);
      expect((await served().regi(['digest', served().ref('stays')])).stdout).toBe(
        `${image.root.digest}\n`,
      );
      limit(
        'A manifest without layers is refused. The manifest of `--via-dummy` has one, empty JSON.',
      );
    });
  },
);
