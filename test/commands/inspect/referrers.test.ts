import { beforeAll, describe, expect, test } from 'vitest';

import { encodedOf } from '../../../src/oci/digest.ts';
import { main } from '../../../src/main.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import {
  startFakeRegistry,
  type FakeRegistry,
  type Fault,
} from '../../support/registries/fake-registry.ts';
import { expectGolden } from '../../support/golden.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';

const INDEX = makeIndex({ attestations: true });
const [AMD64] = INDEX.images;
const SBOM = makeArtifact({
  artifactType: 'application/spdx+json',
  subject: INDEX.root,
  annotations: { 'org.opencontainers.image.created': '2024-05-06T07:08:09Z' },
});
const SIGNED_SBOM = makeArtifact({
  artifactType: 'application/vnd.example.signature',
  subject: SBOM.root,
});
const SCAN = makeArtifact({
  artifactType: 'application/vnd.example.scan\u001b[2J',
  subject: AMD64?.root,
});
const COSIGN = makeImage({ seed: 50 });
const PLAIN = makeImage({ seed: 60 });

let registry: FakeRegistry;

beforeAll(async () => {
  const place = createMemoryPlace();
  const store = place.open('team/app');
  await INDEX.pushAll(store, '1');
  await PLAIN.pushAll(store, 'plain');
  for (const artifact of [SBOM, SIGNED_SBOM, SCAN]) await artifact.pushAll(store);
  await COSIGN.pushAll(store, `sha256-${encodedOf(INDEX.root.digest)}.sig`);
  registry = await startFakeRegistry({ place });
});

function run(...argv: readonly string[]): Promise<MainResult> {
  return runMain(['referrers', ...argv, `${registry.host}/team/app:1`], {
    env: { LANG: 'C.UTF-8' },
  });
}

/** The port is another each time. */
function steady(text: string): string {
  return text.replaceAll(registry.host, '127.0.0.1:5000');
}

describe('referrers', () => {
  test('referrers draws referrers of an image, of its platforms, and of those in turn', async () => {
    const { status, stdout, stderr } = await run();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expectGolden('test/golden/look/referrers.txt', steady(stdout));
  });

  test('referrers --json is the golden rows', async () => {
    expectGolden('test/golden/look/referrers.jsonl', steady((await run('--json')).stdout));
  });

  test.each([
    ['application/spdx+json', [SBOM.root.digest]],
    ['*signature', [SBOM.root.digest, SIGNED_SBOM.root.digest]],
    [
      'application/*+json',
      [SBOM.root.digest, COSIGN.root.digest, ...INDEX.attestations.map(({ root }) => root.digest)],
    ],
    ['nothing', []],
  ])(
    'referrers --type %s keeps what has that type, and what leads to it',
    async (type, digests) => {
      const { stdout } = await run('--json', '--type', type);
      const rows = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { readonly kind: string; readonly digest: string });
      expect(rows.filter(({ kind }) => kind === 'referrer').map(({ digest }) => digest)).toEqual(
        digests,
      );
    },
  );

  test('referrers notes an image without referrers', async () => {
    const { status, stdout, stderr } = await runMain([
      'referrers',
      `${registry.host}/team/app:plain`,
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: 'Nothing refers to it\n' });
    expect(stdout).toBe(`${registry.host}/team/app:plain  ${PLAIN.root.digest}\n`);
  });

  test('referrers fits a narrow terminal without UTF-8', async () => {
    const io = fakeIo({ isTTY: true, columns: 60 });
    expect(await main(['referrers', `${registry.host}/team/app:1`], io)).toBe(0);
    expect(
      Math.max(
        ...io
          .stdoutText()
          .split('\n')
          .map(({ length }) => length),
      ),
    ).toBeLessThan(60);
    expect(io.stdoutText()).not.toMatch(/[^\n -~]/);
  });

  test('referrers --platform begins at the manifest of the platform', async () => {
    const { stdout } = await run('--json', '--platform', 'linux/amd64');
    expect(stdout).toContain(SCAN.root.digest);
    expect(stdout).not.toContain(SBOM.root.digest);
  });
});

describe('B6: regi referrers of a list that fails', () => {
  const image = makeImage({ seed: 70 });
  const sbom = makeArtifact({ subject: image.root, size: 11 });
  const signature = makeArtifact({ subject: sbom.root, size: 12 });

  async function referred(fault: Fault): Promise<string> {
    const registry = await startFakeRegistry();
    const store = registry.place.open('app');
    await image.pushAll(store, '1');
    for (const artifact of [sbom, signature]) await artifact.pushAll(store);
    registry.fault({ ...fault, times: 99 });
    return `${registry.host}/app:1`;
  }

  test('shows the beginning of a list that breaks off, and ends with 8', async () => {
    const name = await referred({
      match: { path: new RegExp(`/referrers/${image.root.digest}`) },
      action: { kind: 'headers', headers: { link: '</v2/app; rel="next"' } },
    });
    const { status, stdout, stderr } = await runMain(['referrers', name]);
    expect([status, stderr]).toEqual([8, expect.stringContaining('malformed')]);
    expect(stdout).toContain(sbom.root.digest.slice(7, 19));
    expect(stdout).toContain(signature.root.digest.slice(7, 19));
  });

  test('shows the others when the list of a referrer is refused, and ends with 8', async () => {
    const name = await referred({
      match: { path: new RegExp(`/referrers/${sbom.root.digest}`) },
      action: { kind: 'respond', status: 401 },
    });
    const { status, stdout, stderr } = await runMain(['referrers', name]);
    expect([status, stderr]).toEqual([8, expect.stringContaining('status 401')]);
    expect(stdout).toContain(sbom.root.digest.slice(7, 19));
  });

  test('fails as the registry does when nothing can be listed', async () => {
    const name = await referred({
      match: { path: /\/referrers\// },
      action: { kind: 'respond', status: 401 },
    });
    expect(await runMain(['referrers', name])).toMatchObject({ status: 4, stdout: '' });
  });
});
