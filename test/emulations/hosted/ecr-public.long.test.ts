import { expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { describeCloud, seed } from '../cloud-contract.ts';
import { ecrPublic } from './ecr-public.ts';

let cloud: ReturnType<typeof ecrPublic>;

describeCloud(
  'ecr-public',
  () => (cloud = ecrPublic()),
  ({ served, limit }) => {
    test('everybody may pull', async () => {
      const image = makeImage({ seed: 56 });
      seed(cloud.core, 'public/app', ['1'], image);
      expect(
        (
          await served().regi(['digest', served().ref('1', 'public/app')], {
            home: temporaryFolder('home'),
          })
        ).stdout,
      ).toBe(`${image.root.digest}\n`);
      limit('Anyone may pull. The token for a login comes from the region us-east-1.');
    });

    test('a scope that is not of the usual form is passed on', () => {
      expect(cloud.asked.some(({ scopes }) => scopes.includes('aws'))).toBe(true);
    });
  },
);
