import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { runMain, type MainResult } from '../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../support/images/images.ts';
import {
  bundleManifest,
  makeBundle,
  makeSigner,
  makeSimpleSigning,
  signatureTag,
} from '../support/images/signatures.ts';
import { buildTar } from '../support/images/tar-builder.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { IDENTITY, ISSUER, makeSigstore } from '../support/trust/sigstore.ts';

const signer = makeSigner();
const image = makeImage({ seed: 1 });
const evil = makeImage({ seed: 2 });
const index = makeIndex({ seed: 5 });
const cwd = temporaryFolder('sources');
writeFileSync(join(cwd, 'cosign.pub'), signer.pem);

let source: FakeRegistry;
let destination: FakeRegistry;

beforeEach(async () => {
  source = await startFakeRegistry();
  destination = await startFakeRegistry();
});

const run = (argv: readonly string[], home?: string): Promise<MainResult> =>
  runMain(argv, { cwd, ...(home !== undefined && { home }) });
const copy = (...flags: readonly string[]): Promise<MainResult> =>
  run([
    'copy',
    '--key',
    'cosign.pub',
    ...flags,
    `${source.host}/app:1`,
    `${destination.host}/to:1`,
  ]);
const app = () => source.place.open('app');
const there = () => destination.place.open('to');

describe('an adversary', () => {
  test('T19: the signature in another repository does not count', async () => {
    await image.pushAll(app(), '1');
    const other = source.place.open('other');
    await image.pushAll(other, '1');
    await makeBundle(image.root, signer).pushTo(other);
    await makeSimpleSigning(image.root, signer).pushTo(other, signatureTag(image.root));
    const refused = await copy();
    expect(refused).toMatchObject({ status: 9, stdout: '' });
    expect(refused.stderr).toContain('it has no signature');
    expect(destination.count('PUT')).toBe(0);
  });

  test('T20: a mirror with an old signed image is believed, and the digest is shown', async () => {
    const mirror = await startFakeRegistry();
    await evil.pushAll(app(), '1');
    await makeBundle(evil.root, signer).pushTo(app());
    await image.pushAll(mirror.place.open('app'), '1');
    await makeBundle(image.root, signer).pushTo(mirror.place.open('app'));
    const home = temporaryFolder('home');
    const file = join(home, '.config/containers/registries.conf');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(
      file,
      `[[registry]]\nlocation = "${source.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"\n`,
    );
    const from = `${source.host}/app:1`;
    const argv = ['copy', '--key', 'cosign.pub', from, `${destination.host}/to:1`];
    const copied = await run(argv, home);
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect(copied.stdout).toBe(`${destination.host}/to:1@${image.root.digest}\n`);
    expect((await there().resolve('1')).digest).toBe(image.root.digest);
  });

  test('T21: an archive with a root of its own vouches for nothing', async () => {
    const [ours, theirs] = [makeSigstore(), makeSigstore()];
    writeFileSync(join(cwd, 'root.json'), JSON.stringify(ours.root));
    await evil.pushAll(app(), '1');
    const bundle = Buffer.from(JSON.stringify(theirs.signBundle(evil.root.digest)));
    await bundleManifest(bundle, evil.root).pushTo(app());
    const folder = temporaryFolder('sent');
    const plain = join(folder, 'plain.tar');
    const exported = await run(['export', '--referrers', `${source.host}/app:1`, '-o', plain]);
    expect(exported, exported.stderr).toMatchObject({ status: 0 });
    const archive = join(folder, 'images.tar');
    const root = buildTar([{ name: 'trusted_root.json', content: JSON.stringify(theirs.root) }], 0);
    writeFileSync(archive, Buffer.concat([root, readFileSync(plain)]));
    const who = ['--identity', IDENTITY, '--issuer', ISSUER];
    for (const [flags, name] of [
      [['--trusted-root', 'root.json'], '"root.json"'],
      [[], 'the public-good root'],
    ] as const) {
      const refused = await run(['import', ...who, ...flags, archive, destination.host]);
      expect(refused, refused.stderr).toMatchObject({ status: 9, stdout: '' });
      expect(refused.stderr).toContain(`${name} does not know its log`);
    }
    expect(destination.count('PUT')).toBe(0);
    expect(destination.count('POST')).toBe(0);
  });

  test('export writes the trusted root into the archive, and import needs one of its own side', async () => {
    const ours = makeSigstore();
    writeFileSync(join(cwd, 'root.json'), JSON.stringify(ours.root));
    await image.pushAll(app(), '1');
    const bundle = Buffer.from(JSON.stringify(ours.signBundle(image.root.digest)));
    await bundleManifest(bundle, image.root).pushTo(app());
    const archive = join(temporaryFolder('sent'), 'images.tar');
    const who = ['--identity', IDENTITY, '--issuer', ISSUER];
    const exported = await run([
      'export',
      ...who,
      '--trusted-root',
      'root.json',
      `${source.host}/app:1`,
      '-o',
      archive,
    ]);
    expect(exported, exported.stderr).toMatchObject({ status: 0 });
    const carried = execFileSync('tar', ['-xOf', archive, 'trusted_root.json'], {
      encoding: 'utf8',
    });
    expect(JSON.parse(carried)).toEqual(ours.root);
    const digest = createHash('sha256').update(carried).digest('hex');
    expect(exported.stderr).toContain(`"trusted_root.json", sha256:${digest}`);

    const refused = await run(['import', ...who, archive, destination.host]);
    expect(refused).toMatchObject({ status: 9, stdout: '' });
    writeFileSync(join(cwd, 'carried.json'), carried);
    const flags = ['--trusted-root', 'carried.json'];
    const imported = await run(['import', ...who, ...flags, archive, destination.host]);
    expect(imported, imported.stderr).toMatchObject({ status: 0 });
  });

  test.each([
    ['its second page is missing', { kind: 'respond', status: 404 }, 3],
    ['its second page fails', { kind: 'respond', status: 500 }, 5],
    ['its second page breaks off', { kind: 'cut', afterBytes: 5 }, 5],
    ['its second page is no list', { kind: 'replace-body', body: '<html>' }, 5],
  ] as const)(
    'T22: half a list of signatures is an error, never "unsigned": %s',
    async (_, action, status) => {
      await image.pushAll(app(), '1');
      await makeBundle(image.root, signer).pushTo(app());
      const list = `/v2/app/referrers/${image.root.digest}`;
      source.fault({
        match: ({ path, query }) => path === list && !query.has('last'),
        action: {
          kind: 'respond',
          status: 200,
          headers: {
            'Content-Type': 'application/vnd.oci.image.index.v1+json',
            Link: `<${list}?last=1>; rel="next"`,
          },
          body: '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
        },
        times: 99,
      });
      source.fault({ match: { path: /last=1/ }, action, times: 99 });
      const result = await copy();
      expect(result.stderr).not.toContain('no signature');
      expect(result, result.stderr).toMatchObject({ status, stdout: '' });
      expect(destination.count('PUT')).toBe(0);
    },
  );

  test('T26: one key signs two images, and annotations tell them apart', async () => {
    for (const [one, product] of [
      [image, 'a'],
      [evil, 'b'],
    ] as const) {
      await one.pushAll(app(), product);
      await makeBundle(one.root, signer, { annotations: { product } }).pushTo(app());
    }
    writeFileSync(
      join(cwd, 'product.yaml'),
      "version: 1\nscopes:\n  '*.0.0.1': { key: cosign.pub, annotations: { product: a } }\n",
    );
    const verify = async (...argv: readonly string[]): Promise<number> =>
      (await run(['verify', '--signatures', ...argv])).status;
    const [a, b] = [`${source.host}/app:a`, `${source.host}/app:b`];
    expect(await verify('--key', 'cosign.pub', a, b)).toBe(0);
    expect(await verify('--verify', 'product.yaml', a)).toBe(0);
    expect(await verify('--verify', 'product.yaml', b)).toBe(9);
  });

  test('T27: a threshold counts keys, not signatures', async () => {
    const second = makeSigner();
    writeFileSync(join(cwd, 'second.pub'), second.pem);
    writeFileSync(
      join(cwd, 'both.yaml'),
      "version: 1\nscopes:\n  '*.0.0.1': { keys: [cosign.pub, second.pub], threshold: 2 }\n",
    );
    await image.pushAll(app(), '1');
    const again = { annotations: { again: 'yes' } };
    await makeBundle(image.root, signer).pushTo(app());
    await makeBundle(image.root, signer, again).pushTo(app());
    await makeSimpleSigning(image.root, signer).pushTo(app(), signatureTag(image.root));
    const argv = ['copy', '--verify', 'both.yaml', `${source.host}/app:1`];
    const refused = await run([...argv, `${destination.host}/to:1`]);
    expect(refused, refused.stderr).toMatchObject({ status: 9, stdout: '' });
    expect(refused.stderr).toContain('1 of the 2 required keys has signed it');
    expect(refused.stderr.match(/  ok  cosign\.pub/g)).toHaveLength(3);
    expect(destination.count('PUT')).toBe(0);
    await makeBundle(image.root, second).pushTo(app());
    const copied = await run([...argv, `${destination.host}/to:1`]);
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
  });

  // Control characters of two bytes, and characters that turn the direction of text around.
  const ESCAPES = '\u001b]0;x\u0007\u009b2J\u202e\u2066';

  test('T23: escapes for terminals in types and annotations are not printed', async () => {
    await image.pushAll(app(), '1');
    const tag = signatureTag(image.root);
    await makeBundle(image.root, signer, { predicateType: `https://${ESCAPES}` }).pushTo(app());
    await makeSimpleSigning(image.root, signer, {
      annotations: { 'dev.cosignproject.cosign/signature': ESCAPES, [ESCAPES]: ESCAPES },
    }).pushTo(app(), tag);
    for (const argv of [
      ['verify', '--signatures', '--key', 'cosign.pub', `${source.host}/app:1`],
      ['copy', '--key', 'cosign.pub', `${source.host}/app:1`, `${destination.host}/to:1`],
      ['referrers', '--key', 'cosign.pub', `${source.host}/app:1`],
    ]) {
      const { stdout, stderr } = await run(argv);
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2066]/);
      expect(stdout + stderr).toContain('signature');
    }
  });

  test('T24: a server that swaps everything after any of its requests never gets another image tagged', async () => {
    await index.pushAll(app(), '1');
    const tag = signatureTag(index.root);
    await makeSimpleSigning(index.root, signer).pushTo(app(), tag);
    const swapped = source.place.open('swapped');
    const other = makeIndex({ seed: 77 });
    await other.pushAll(swapped, '1');
    expect(await copy()).toMatchObject({ status: 0 });
    const requests = source.requests.length;
    expect(requests).toBeGreaterThan(5);
    for (let after = 0; after < requests; after += 1) {
      const swapping = await startFakeRegistry({ place: source.place });
      const target = await startFakeRegistry();
      let count = 0;
      swapping.fault({
        match: ({ path }) => path.startsWith('/v2/app/') && (count += 1) > after,
        action: {
          kind: 'redirect',
          to: ({ path }) =>
            /\/manifests\/(?:1|sha256:)/.test(path)
              ? `/v2/swapped/manifests/${other.root.digest}`
              : path.replace('/v2/app/', '/v2/swapped/'),
        },
        times: 999,
      });
      const argv = ['copy', '--key', 'cosign.pub', `${swapping.host}/app:1`, `${target.host}/to:1`];
      const { status, stderr } = await run(argv);
      const tagged = await target.place
        .open('to')
        .resolve('1')
        .then(({ digest }) => digest)
        .catch(() => undefined);
      expect([after, tagged, stderr]).toEqual([
        after,
        status === 0 ? index.root.digest : undefined,
        stderr,
      ]);
    }
  });
});

describe('--sparse with a policy', () => {
  const sparse = ['--sparse', '--platform', 'linux/amd64'];

  test('T25: keeps the signed index with its signature, although images are left out', async () => {
    await index.pushAll(app(), '1');
    await makeBundle(index.root, signer).pushTo(app());
    const tag = signatureTag(index.root);
    await makeSimpleSigning(index.root, signer).pushTo(app(), tag);
    destination = await startFakeRegistry({ sparse: true });
    const copied = await copy(...sparse);
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect((await there().resolve('1')).digest).toBe(index.root.digest);
    const [amd64, arm64] = index.images;
    expect(await there().exists(amd64?.root ?? index.root)).toBe(true);
    expect(await there().exists(arm64?.root ?? index.root)).toBe(false);
    const verified = await run([
      'verify',
      '--signatures',
      '--key',
      'cosign.pub',
      `${destination.host}/to:1`,
    ]);
    expect(verified, verified.stderr).toMatchObject({ status: 0 });
    expect(verified.stdout.match(/ ok /g)).toHaveLength(2);
  });

  test('T25: moves through an archive, and is verified on the far side', async () => {
    await index.pushAll(app(), '1');
    await makeBundle(index.root, signer).pushTo(app());
    const archive = join(temporaryFolder('sparse'), 'images.tar');
    const key = ['--key', 'cosign.pub'];
    const exported = await run([
      'export',
      ...key,
      ...sparse,
      `${source.host}/app:1`,
      '-o',
      archive,
    ]);
    expect(exported, exported.stderr).toMatchObject({ status: 0 });
    destination = await startFakeRegistry({ sparse: true });
    const imported = await run(['import', ...key, '--sparse', archive, destination.host]);
    expect(imported, imported.stderr).toMatchObject({ status: 0 });
    expect((await destination.place.open('app').resolve('1')).digest).toBe(index.root.digest);
  });

  test('T25: refuses an index whose image alone is signed, and one that is not signed', async () => {
    await index.pushAll(app(), '1');
    expect(await copy(...sparse)).toMatchObject({ status: 9, stdout: '' });
    const [amd64] = index.images;
    await makeBundle(amd64?.root ?? index.root, signer).pushTo(app());
    const refused = await copy(...sparse);
    expect(refused, refused.stderr).toMatchObject({ status: 9, stdout: '' });
    expect(refused.stderr).toContain(index.root.digest);
    expect(destination.count('PUT')).toBe(0);
  });
});
