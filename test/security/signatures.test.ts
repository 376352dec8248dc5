import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { RegiError } from '../../src/errors.ts';
import { toDescriptorJson } from '../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { createMemoryStore } from '../../src/stores/memory.ts';
import { checkContent } from '../../src/trust/content.ts';
import { policyForAll, type KeyRule } from '../../src/trust/policy.ts';
import { parseSigningKey } from '../../src/trust/signing-key.ts';
import { verifySignatures } from '../../src/trust/verify-signatures.ts';
import { runMain, type MainResult } from '../support/cli/run-main.ts';
import { makeImage, makeIndex, nodeOf } from '../support/images/images.ts';
import {
  BUNDLE_TYPE,
  bundleManifest,
  makeBundle,
  makeSigner,
  makeSimpleSigning,
  signatureTag,
} from '../support/images/signatures.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { IDENTITY, ISSUER, makeSigstore } from '../support/trust/sigstore.ts';

const signer = makeSigner();
const stranger = makeSigner();
const image = makeImage({ seed: 1 });
const evil = makeImage({ seed: 2 });
const index = makeIndex({ seed: 5 });
const cwd = temporaryFolder('adversary');
writeFileSync(join(cwd, 'cosign.pub'), signer.pem);

let source: FakeRegistry;
let destination: FakeRegistry;

beforeEach(async () => {
  source = await startFakeRegistry();
  destination = await startFakeRegistry();
});

const run = (...argv: readonly string[]): Promise<MainResult> => runMain(argv, { cwd });
const copy = (from: string, ...flags: readonly string[]): Promise<MainResult> =>
  run(
    'copy',
    '--key',
    'cosign.pub',
    ...flags,
    `${source.host}/${from}`,
    `${destination.host}/to:1`,
  );
const app = () => source.place.open('app');
const there = () => destination.place.open('to');

/** Nothing was written, and the status is that of a refusal. */
function expectRefused(result: MainResult, text: string): void {
  expect(result, result.stderr).toMatchObject({ status: 9, stdout: '' });
  expect(result.stderr).toContain(text);
  expect(destination.requests.every(({ method }) => ['GET', 'HEAD'].includes(method))).toBe(true);
}

describe('an adversary', () => {
  test('T1: a child of a signed index is no signed image', async () => {
    await index.pushAll(app(), '1');
    await makeBundle(index.root, signer).pushTo(app());
    const child = index.images[0]?.root.digest;
    expectRefused(await copy(`app@${child}`), 'it has no signature');
  });

  test.each([
    ['one platform', ['--platform', 'linux/amd64']],
    ['a smaller index', ['--platform', 'linux/amd64', '--platform', 'linux/arm64']],
  ])('T2: %s of a signed index is refused, and the rule may allow it', async (_, flags) => {
    const three = makeIndex({
      seed: 9,
      platforms: ['amd64', 'arm64', 's390x'].map((architecture) => ({ os: 'linux', architecture })),
    });
    await three.pushAll(app(), '1');
    await makeBundle(three.root, signer).pushTo(app());
    expectRefused(await copy('app:1', ...flags), 'Cannot accept a part of');
    writeFileSync(
      join(cwd, 'allow.yaml'),
      "version: 1\nscopes:\n  '*.0.0.1': { key: cosign.pub, narrowed: allow }\n",
    );
    const argv = [`${source.host}/app:1`, `${destination.host}/to:1`];
    const allowed = await run('copy', '--verify', 'allow.yaml', ...flags, ...argv);
    expect(allowed, allowed.stderr).toMatchObject({ status: 0 });
  });

  test('T3: a platform that is signed itself may be copied alone, with its signature', async () => {
    await index.pushAll(app(), '1');
    const [child] = index.images;
    if (child === undefined) throw new Error('The index has images');
    await makeBundle(child.root, signer).pushTo(app());
    const copied = await copy('app:1', '--platform', 'linux/amd64');
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    const argv = ['verify', '--signatures', '--key', 'cosign.pub', `${destination.host}/to:1`];
    expect(await run(...argv)).toMatchObject({ status: 0 });
  });

  test.each([
    ['an index', index, 'it has no signature'],
    ['a runnable image', evil, 'it has no signature'],
  ])("T4: cosign's tag that is %s is no signature", async (_, other, text) => {
    await image.pushAll(app(), '1');
    await other.pushAll(app(), signatureTag(image.root));
    expectRefused(await copy('app:1'), text);
  });

  test('T5: a runnable image with the subject and the type of a signature does not move along', async () => {
    await image.pushAll(app(), '1');
    await makeBundle(image.root, signer).pushTo(app());
    const [layer] = evil.layers;
    if (layer === undefined) throw new Error('The image has layers');
    await evil.pushAll(app());
    const disguised = nodeOf(
      MEDIA_TYPE.ociManifest,
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA_TYPE.ociManifest,
          artifactType: BUNDLE_TYPE,
          config: toDescriptorJson(evil.config),
          layers: [toDescriptorJson(layer)],
          subject: toDescriptorJson(image.root),
        }),
      ),
    );
    await app().push(disguised.descriptor, bytesOf(disguised.bytes));
    const copied = await copy('app:1');
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect(await there().exists(disguised.descriptor)).toBe(false);
    expect(await there().exists(layer)).toBe(false);
  });

  test('T6: a server that swaps the tag after it was resolved gets the signed image copied', async () => {
    await image.pushAll(app(), '1');
    await evil.pushAll(app());
    await makeBundle(image.root, signer).pushTo(app());
    // The first request resolves the tag. Every later one leads to the other image.
    let asked = 0;
    source.fault({
      match: ({ path }) => path.endsWith('/manifests/1') && (asked += 1) > 1,
      action: { kind: 'redirect', to: `/v2/app/manifests/${evil.root.digest}` },
      times: 99,
    });
    const copied = await copy('app:1');
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect((await there().resolve('1')).digest).toBe(image.root.digest);
    expect(asked).toBe(1);
  });

  test('T7: a server that swaps the signature at the tag of cosign gets the verified one copied', async () => {
    await image.pushAll(app(), '1');
    const tag = signatureTag(image.root);
    const [good, bad] = [signer, stranger].map((one) => makeSimpleSigning(image.root, one));
    await bad?.pushTo(app());
    await good?.pushTo(app(), tag);
    let asked = 0;
    source.fault({
      match: ({ path }) => path.endsWith(tag) && (asked += 1) > 1,
      action: { kind: 'redirect', to: `/v2/app/manifests/${bad?.root.digest}` },
      times: 99,
    });
    const copied = await copy('app:1');
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect((await there().resolve(tag)).digest).toBe(good?.root.digest);
  });

  test('T8: a tag that moved to an unsigned image is refused, whatever is signed beside it', async () => {
    await image.pushAll(app(), '1');
    await makeBundle(image.root, signer).pushTo(app());
    await evil.pushAll(app(), '1');
    expectRefused(await copy('app:1'), evil.root.digest);
  });

  test('T9: beside a digest the tag is a label', async () => {
    await image.pushAll(app());
    await evil.pushAll(app(), '1');
    await makeBundle(image.root, signer).pushTo(app());
    const copied = await copy(`app:1@${image.root.digest}`);
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect((await there().resolve('1')).digest).toBe(image.root.digest);
  });

  test.each([
    [401, 4],
    [500, 5],
  ])(
    'T10: status %i of the list of signatures is an error, never "unsigned"',
    async (status, exit) => {
      await image.pushAll(app(), '1');
      await makeBundle(image.root, signer).pushTo(app());
      source.fault({
        match: { path: /\/referrers\// },
        action: { kind: 'respond', status },
        times: 99,
      });
      const result = await copy('app:1');
      expect(result, result.stderr).toMatchObject({ status: exit, stdout: '' });
      expect(result.stderr).not.toContain('no signature');
      expect(destination.count('PUT')).toBe(0);
    },
  );

  test('T11: two signatures that are each half right do not make a whole one', async () => {
    await image.pushAll(app(), '1');
    // Ours of another image, and a stranger's of this one.
    const ours = makeBundle(image.root, signer, { signed: evil.root.digest });
    for (const signature of [ours, makeBundle(image.root, stranger)]) await signature.pushTo(app());
    expectRefused(await copy('app:1'), 'step content');
  });

  test('T12: a signature of 5 GiB is not read and does not move along', async () => {
    await image.pushAll(app(), '1');
    await makeBundle(image.root, signer).pushTo(app());
    const [small] = makeBundle(image.root, stranger).nodes;
    if (small === undefined) throw new Error('A signature has a blob');
    await app().push(small.descriptor, bytesOf(small.bytes));
    const empty = nodeOf(MEDIA_TYPE.ociEmpty, Buffer.from('{}'));
    const large = nodeOf(
      MEDIA_TYPE.ociManifest,
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA_TYPE.ociManifest,
          artifactType: BUNDLE_TYPE,
          config: toDescriptorJson(empty.descriptor),
          layers: [{ ...toDescriptorJson(small.descriptor), size: 5 * 1024 ** 3 }],
          subject: toDescriptorJson(image.root),
        }),
      ),
    );
    await app().push(large.descriptor, bytesOf(large.bytes));
    const copied = await copy('app:1');
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect(await there().exists(large.descriptor)).toBe(false);
    expect(source.requests.some(({ url }) => url.includes(small.descriptor.digest))).toBe(false);
  });

  test('T13: an archive that names itself into an accepting scope is refused', async () => {
    await evil.pushAll(source.place.open('accepted/app'), '1');
    const archive = join(temporaryFolder('sent'), 'images.tar');
    await run('export', `${source.host}/accepted/app:1`, '-o', archive);
    const policy = join(cwd, 'accepting.yaml');
    const accepting = (host: string): string =>
      `version: 1\nscopes:\n  '${host}/accepted': { insecureAccept: true }\n  '${destination.host}': { key: cosign.pub }\n`;
    writeFileSync(policy, accepting(source.host));
    const imported = await run('import', '--verify', policy, archive, destination.host);
    expectRefused(imported, 'it has no signature');
    // Without a PREFIX the name is the archive's own choice.
    const local = await run('import', '--verify', policy, archive);
    expect(local, local.stderr).toMatchObject({ status: 9, stdout: '' });
    expect(local.stderr).toContain('only the archive says');
  });

  test('T14: escapes for terminals in the name of a signer are not printed', async () => {
    const sigstore = makeSigstore();
    writeFileSync(join(cwd, 'root.json'), JSON.stringify(sigstore.root));
    await image.pushAll(app(), '1');
    const bundle = sigstore.signBundle(image.root.digest, { identity: '\u001b[2Jroot@\u0007evil' });
    await bundleManifest(Buffer.from(JSON.stringify(bundle)), image.root).pushTo(app());
    const flags = ['--identity', IDENTITY, '--issuer', ISSUER, '--trusted-root', 'root.json'];
    const argv = ['verify', '--signatures', ...flags, `${source.host}/app:1`];
    const { status, stdout, stderr } = await run(...argv);
    expect(status).toBe(9);
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  test('T15: an attestation alone is no signature', async () => {
    await image.pushAll(app(), '1');
    const predicateType = 'https://slsa.dev/provenance/v1';
    await makeBundle(image.root, signer, { predicateType }).pushTo(app());
    expectRefused(await copy('app:1'), 'step content');
  });

  test('T16: a mirror can hide a signature and not make one', async () => {
    const rule = signedByKey();
    const [mirror, registry] = [createMemoryStore(), createMemoryStore()];
    for (const store of [mirror, registry]) await image.pushAll(store, '1');
    await makeBundle(image.root, stranger).pushTo(mirror);
    const both = Object.assign(createMemoryStore(), { alternatives: () => [mirror, registry] });
    const before = await verifySignatures(both, image.root.digest, rule);
    expect(before.report).toMatchObject({ accepted: false, step: 'signature' });
    await makeBundle(image.root, signer).pushTo(registry);
    const after = await verifySignatures(both, image.root.digest, rule);
    expect(after.report).toMatchObject({ accepted: true });
    expect(policyForAll(rule).ruleFor({ domain: 'a.example', path: 'b' })?.scope).toBe('all');
  });

  test.each([
    ['layer', BUNDLE_TYPE],
    ['config', MEDIA_TYPE.ociEmpty],
  ])(
    'T16: a signature whose %s a mirror lacks is read whole from the registry',
    async (_, type) => {
      const [mirror, registry] = [createMemoryStore(), createMemoryStore()];
      for (const store of [mirror, registry]) {
        await image.pushAll(store, '1');
        await makeBundle(image.root, signer).pushTo(store);
      }
      const fetch = mirror.fetch.bind(mirror);
      Object.assign(mirror, {
        fetch: (...args: Parameters<typeof fetch>) => {
          if (args[0].mediaType !== type) return fetch(...args);
          throw new RegiError('NOT_FOUND', 'Cannot find it');
        },
      });
      const both = Object.assign(createMemoryStore(), { alternatives: () => [mirror, registry] });
      const { report, carried } = await verifySignatures(both, image.root.digest, signedByKey());
      expect(report).toMatchObject({ accepted: true });
      expect(carried.map(({ source: { place } }) => place)).toEqual([registry.place]);
    },
  );

  test.each(['mirror', 'registry'] as const)(
    'T16: of two manifests at one tag of cosign, that of the %s moves along if its signature counts',
    async (place) => {
      const stores = { mirror: createMemoryStore(), registry: createMemoryStore() };
      for (const [name, store] of Object.entries(stores)) {
        const by = name === place ? signer : stranger;
        await makeSimpleSigning(image.root, by).pushTo(store, signatureTag(image.root));
      }
      const good = await stores[place].resolve(signatureTag(image.root));
      const both = Object.assign(createMemoryStore(), {
        alternatives: () => [stores.mirror, stores.registry],
      });
      const { report, carried } = await verifySignatures(both, image.root.digest, signedByKey());
      expect(report).toMatchObject({ accepted: true });
      expect(carried.map(({ descriptor }) => descriptor.digest)).toEqual([good.digest]);
    },
  );

  test('an image that is accepted unsigned moves without signatures where there are too many', async () => {
    await image.pushAll(app(), '1');
    const config = nodeOf(MEDIA_TYPE.ociEmpty, Buffer.from('{}'));
    await app().push(config.descriptor, bytesOf(config.bytes));
    for (let count = 0; count < 101; count += 1) {
      const referrer = nodeOf(
        MEDIA_TYPE.ociManifest,
        Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: MEDIA_TYPE.ociManifest,
            config: toDescriptorJson(config.descriptor),
            layers: [toDescriptorJson(config.descriptor)],
            subject: toDescriptorJson(image.root),
            annotations: { count: String(count) },
          }),
        ),
      );
      await app().push(referrer.descriptor, bytesOf(referrer.bytes));
    }
    writeFileSync(
      join(cwd, 'accept.yaml'),
      "version: 1\nscopes:\n  '*.0.0.1': { insecureAccept: true }\n",
    );
    const argv = [`${source.host}/app:1`, `${destination.host}/to:1`];
    const copied = await run('copy', '--verify', 'accept.yaml', ...argv);
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect(copied.stderr).toContain(
      `Signatures may be left behind: Cannot look at more than 100 possible signatures of ${image.root.digest}`,
    );
    // A rule that asks for a signature needs all of them, so the image stays.
    const refused = await copy('app:1', '--force');
    expect(refused.status).toBe(7);
    expect(refused.stderr).toContain('Cannot look at more than 100 possible signatures');
  });

  test.each([
    [['--identity', IDENTITY], 'expected both --identity and --issuer'],
    [['--issuer', ISSUER], 'expected both --identity and --issuer'],
    [['--identity', '*', '--issuer', ISSUER], 'it would accept anybody'],
    [['--identity', '', '--issuer', ISSUER], 'it would accept anybody'],
    [['--key', 'cosign.pub', '--identity', IDENTITY, '--issuer', ISSUER], 'together'],
    [['--key', 'cosign.pub', '--referrers'], 'other referrers than signatures'],
    [['--trusted-root', 'root.json'], 'without --verify or --identity'],
    [['--key', 'cosign.pub', '--key', 'cosign.pub'], 'Cannot use "--key" twice'],
    [['--verify', 'a', '--verify=b'], 'Cannot use "--verify" twice'],
    [['--identity', 'a', '--issuer', ISSUER, '--identity', 'b'], 'Cannot use "--identity" twice'],
  ])('T17: a policy that says nothing is a mistake: %j', async (flags, text) => {
    const argv = [`${source.host}/app:1`, `${destination.host}/to:1`];
    const { status, stderr } = await run('copy', ...flags, ...argv);
    expect([status, stderr]).toEqual([2, expect.stringContaining(text)]);
    expect(source.requests).toEqual([]);
  });

  test("T10: a list of referrers that breaks off is an error, never 'unsigned'", async () => {
    await image.pushAll(app(), '1');
    source.fault({
      match: { path: /\/referrers\// },
      times: 9,
      action: {
        kind: 'respond',
        status: 200,
        headers: { 'content-type': MEDIA_TYPE.ociIndex, link: 'elsewhere' },
        body: '{"schemaVersion":2,"manifests":[]}',
      },
    });
    const { status, stderr } = await copy('app:1');
    expect([status, stderr]).toEqual([1, expect.stringContaining('Cannot list the referrers')]);
    expect(stderr).not.toContain('it has no signature');
    expect(destination.requests.some(({ method }) => method === 'PUT')).toBe(false);
  });

  test.each(['--deep', '--sparse', '--base=old.tar'])(
    'T17: verify --signatures refuses %s, which it would ignore',
    async (flag) => {
      const argv = ['verify', '--signatures', '--key', 'cosign.pub', flag, `${source.host}/app:1`];
      const { status, stderr } = await run(...argv);
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining(`Cannot use ${flag.replace('=old.tar', '')} with --signatures`),
      ]);
    },
  );

  test('a key that is a link counts, as Kubernetes mounts it', async () => {
    await image.pushAll(app(), '1');
    await makeBundle(image.root, signer).pushTo(app());
    symlinkSync('cosign.pub', join(cwd, 'linked.pub'));
    const argv = ['verify', '--signatures', '--key', 'linked.pub', `${source.host}/app:1`];
    const verified = await run(...argv);
    expect(verified, verified.stderr).toMatchObject({ status: 0 });
    const folder = await run('verify', '--signatures', '--key', '.', `${source.host}/app:1`);
    expect(folder, folder.stderr).toMatchObject({ status: 1 });
  });

  test('a policy without an end is refused', async () => {
    const argv = ['verify', '--signatures', '--verify', '/dev/zero', `${source.host}/app:1`];
    const endless = await run(...argv);
    expect(endless.stderr).toContain('expected at most 1048576 bytes');
    const list = await run('copy', '--from', '/dev/zero', 'r.example/');
    expect(list.stderr).toContain('expected at most 16777216 bytes');
  });

  test.each(['docker-manifest-digeſt', 'Docker-Manifest-Digest'])(
    'a payload that names the digest a second time as %s is refused',
    (name) => {
      const { digest } = image.root;
      const payloadWith = (names: Readonly<Record<string, string>>): Buffer =>
        Buffer.from(
          JSON.stringify({
            critical: { type: 'cosign container image signature', image: names },
            optional: null,
          }),
        );
      const check = (payload: Buffer) =>
        checkContent(
          { form: 'simple-signing', payload, signature: payload, annotations: {} },
          digest,
          { predicateTypes: [], annotations: {} },
        );
      const key = 'docker-manifest-digest';
      expect(check(payloadWith({ [key]: digest }))).toBeUndefined();
      expect(check(payloadWith({ [key]: digest, [name]: evil.root.digest }))).toMatchObject({
        step: 'content',
      });
    },
  );

  test('T18: the image of a scope does not cover its neighbours', async () => {
    writeFileSync(
      join(cwd, 'team.yaml'),
      `version: 1\nscopes:\n  '${source.host}/team': { insecureAccept: true }\n`,
    );
    for (const name of ['team/app', 'teamevil/app'])
      await evil.pushAll(source.place.open(name), '1');
    const of = (name: string): Promise<MainResult> =>
      run('copy', '--verify', 'team.yaml', `${source.host}/${name}:1`, `${destination.host}/to:1`);
    expectRefused(await of('teamevil/app'), 'no scope of the policy covers it');
    expect(await of('team/app')).toMatchObject({ status: 0 });
  });
});

test('an archive is verified and imported offline, long after its certificate has expired', async () => {
  const sigstore = makeSigstore();
  writeFileSync(join(cwd, 'own-root.json'), JSON.stringify(sigstore.root));
  await image.pushAll(app(), '1');
  const bundle = sigstore.signBundle(image.root.digest, { rekor: 'v2' });
  await bundleManifest(Buffer.from(JSON.stringify(bundle)), image.root).pushTo(app());
  const flags = ['--identity', IDENTITY, '--issuer', ISSUER, '--trusted-root', 'own-root.json'];
  const archive = join(temporaryFolder('gap'), 'images.tar');
  const exported = await run('export', ...flags, `${source.host}/app:1`, '-o', archive);
  expect(exported, exported.stderr).toMatchObject({ status: 0 });
  await source.stop();
  const lookups: string[] = [];
  const imported = await runMain(['import', ...flags, archive, destination.host], {
    cwd,
    // The only host that is asked is the destination, which is an address.
    lookup: async (host) => {
      lookups.push(host);
      throw new Error(`No lookups here: ${host}`);
    },
  });
  expect(imported, imported.stderr).toMatchObject({ status: 0 });
  expect(lookups).toEqual([]);
  const argv = ['verify', '--signatures', ...flags, `${destination.host}/app:1`];
  expect(await run(...argv)).toMatchObject({ status: 0 });
});

/** The short form `--key cosign.pub`. */
function signedByKey(): KeyRule {
  return {
    kind: 'key',
    keys: [parseSigningKey(signer.pem, 'cosign.pub')],
    threshold: 1,
    log: 'none',
    predicateTypes: [],
    annotations: {},
    narrowed: 'refuse',
    signaturesFrom: undefined,
  };
}
