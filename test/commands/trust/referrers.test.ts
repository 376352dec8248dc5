import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { makeArtifact, makeImage } from '../../support/images/images.ts';
import {
  makeBundle,
  makeSigner,
  makeSimpleSigning,
  signatureTag,
} from '../../support/images/signatures.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [signer, stranger] = [makeSigner(), makeSigner()];
const image = makeImage();
const cwd = temporaryFolder('marks');
writeFileSync(join(cwd, 'cosign.pub'), signer.pem);

async function signedImage(): Promise<string> {
  const { place, host } = await startFakeRegistry();
  const store = place.open('app');
  await image.pushAll(store, '1');
  for (const one of [signer, stranger]) await makeBundle(image.root, one).pushTo(store);
  await makeSimpleSigning(image.root, signer).pushTo(store, signatureTag(image.root));
  const artifactType = 'application/vnd.cncf.notary.signature';
  await makeArtifact({ subject: image.root, artifactType }).pushAll(store);
  await makeArtifact({ subject: image.root, size: 9 }).pushAll(store);
  return `${host}/app:1`;
}

describe('regi referrers', () => {
  test('marks signatures by their form, and says that none was verified', async () => {
    const { stdout } = await runMain(['referrers', await signedImage()], { cwd });
    expect(stdout.match(/\(bundle, not verified\)/g)).toHaveLength(2);
    expect(stdout).toContain('(simple-signing, not verified)');
    expect(stdout).toContain('(notation, not read)');
    expect(stdout.match(/not (?:read|verified)/g)).toHaveLength(4);
  });

  test('verifies the marked signatures with a key', async () => {
    const argv = ['referrers', '--json', '--key', 'cosign.pub', await signedImage()];
    const { stdout, status } = await runMain(argv, { cwd });
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly signature?: { readonly form: string } });
    const marks = rows.flatMap(({ signature }) => signature ?? []);
    expect(status).toBe(0);
    expect(marks).toHaveLength(4);
    expect(marks).toEqual(
      expect.arrayContaining([
        { form: 'bundle', status: 'verified', by: 'cosign.pub' },
        {
          form: 'bundle',
          status: 'refused',
          by: 'signature: no key of the policy made its signature',
        },
        { form: 'simple-signing', status: 'verified', by: 'cosign.pub' },
        { form: 'notation', status: 'not read' },
      ]),
    );
  });
});

test('signaturesFrom finds the signatures of an image in another repository, and copies them beside it', async () => {
  const [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
  await image.pushAll(from.place.open('app'), '1');
  await makeSimpleSigning(image.root, signer).pushTo(
    from.place.open('signatures'),
    signatureTag(image.root),
  );
  writeFileSync(
    join(cwd, 'elsewhere.yaml'),
    `version: 1\nscopes:\n  '${from.host}': { key: cosign.pub, signaturesFrom: '${from.host}/signatures' }\n`,
  );
  const argv = ['copy', '--verify', 'elsewhere.yaml', `${from.host}/app:1`, `${to.host}/app:1`];
  const copied = await runMain(argv, { cwd });
  expect(copied, copied.stderr).toMatchObject({ status: 0 });
  const verify = ['verify', '--signatures', '--key', 'cosign.pub', `${to.host}/app:1`];
  expect(await runMain(verify, { cwd })).toMatchObject({ status: 0 });
});
