import { mkdirSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { encodedOf, type Digest } from '../../../src/oci/digest.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { startHttpServer } from '../../support/http/http-server.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import {
  makeBundle,
  makeSigner,
  makeSimpleSigning,
  signatureTag,
} from '../../support/images/signatures.ts';
import { makeGpg, makeGpgPayload, type Gpg } from '../../support/programs/gpg.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [signer, stranger] = [makeSigner(), makeSigner()];
const image = makeImage({ seed: 1 });
const index = makeIndex({ seed: 5 });
const REJECT = [{ type: 'reject' }];
const ACCEPT = [{ type: 'insecureAcceptAnything' }];
const SIGSTORE = [
  { type: 'sigstoreSigned', keyPath: 'cosign.pub', signedIdentity: { type: 'matchRepository' } },
];

let source: FakeRegistry;
let destination: FakeRegistry;
let cwd: string;
let home: string;

beforeEach(async () => {
  source = await startFakeRegistry();
  destination = await startFakeRegistry({ sparse: true });
  cwd = temporaryFolder('policy');
  home = temporaryFolder('home');
  mkdirSync(join(home, '.config/containers/registries.d'), { recursive: true });
  writeFileSync(join(cwd, 'cosign.pub'), signer.pem);
});

const run = (...argv: readonly string[]): Promise<MainResult> => runMain(argv, { cwd, home });
const app = () => source.place.open('app');
const CONTAINERS = ['--policy', 'containers'];

function writePolicy(fallback: readonly object[], transports: object = {}): void {
  const text = JSON.stringify({ default: fallback, transports });
  writeFileSync(join(home, '.config/containers/policy.json'), text);
}

/** Says where signatures of the source are. */
function writePlaces(settings: string): void {
  const text = `docker:\n  ${source.host}:\n    ${settings}\n`;
  writeFileSync(join(home, '.config/containers/registries.d/source.yaml'), text);
}

const copy = (from = 'app:1', ...flags: readonly string[]): Promise<MainResult> =>
  run('copy', ...CONTAINERS, ...flags, `${source.host}/${from}`, `${destination.host}/to:1`);

async function sign(by = signer, name = `${source.host}/app`): Promise<void> {
  await makeSimpleSigning(image.root, by, { name }).pushTo(app(), signatureTag(image.root));
}

function expectRefused(result: MainResult, text: string): void {
  expect(result, result.stderr).toMatchObject({ status: 9, stdout: '' });
  expect(result.stderr).toContain(text);
  expect(destination.requests.every(({ method }) => ['GET', 'HEAD'].includes(method))).toBe(true);
}

const expectDone = (result: MainResult): void =>
  expect(result, result.stderr).toMatchObject({ status: 0 });

describe('--policy containers', () => {
  beforeEach(async () => {
    await image.pushAll(app(), '1');
    writePlaces('use-sigstore-attachments: true');
  });

  test('copies an image that the policy accepts unsigned, and refuses a rejected one', async () => {
    writePolicy(REJECT, { docker: { [`${source.host}/app`]: ACCEPT } });
    expectDone(await copy());
    const pulled = await run('pull', ...CONTAINERS, `${source.host}/app:1`);
    expect(pulled.stderr).toContain(`unsigned: the policy says so (scope ${source.host}/app)`);
    writePolicy(ACCEPT, { docker: { [`${source.host}/app:1`]: REJECT } });
    const refused = await copy();
    expect(refused).toMatchObject({ status: 9 });
    expect(refused.stderr).toContain(`the policy rejects it (scope ${source.host}/app:1)`);
  });

  test('requires the sigstore signature of a key, and copies it along', async () => {
    writePolicy(SIGSTORE);
    expectRefused(await copy(), 'it has no signature');
    await sign(stranger);
    expectRefused(await copy(), 'signature  no key of the policy made its signature');
    await sign();
    expectDone(await copy());
    expect(await destination.place.open('to').resolve(signatureTag(image.root))).toBeDefined();
  });

  test('every requirement of a scope has to hold', async () => {
    await sign();
    writePolicy([...SIGSTORE, ...REJECT]);
    expectRefused(await copy(), 'the policy rejects it');
    writeFileSync(join(cwd, 'other.pub'), stranger.pem);
    writePolicy([...SIGSTORE, { ...SIGSTORE[0], keyPath: 'other.pub' }]);
    expectRefused(await copy(), 'no key of the policy made its signature');
    writePolicy([{ ...SIGSTORE[0], keyPath: undefined, keyPaths: ['other.pub', 'cosign.pub'] }]);
    expectDone(await copy());
  });

  test('compares the name that a signature states', async () => {
    writePolicy([{ type: 'sigstoreSigned', keyPath: 'cosign.pub' }]);
    await sign();
    expectRefused(await copy(), 'content  it is of the name');
    await sign(signer, `${source.host}/app:1`);
    expectDone(await copy());
    // A digest decides, and the tag of the signature does not matter.
    expectDone(await copy(`app@${image.root.digest}`));
  });

  test('reads no bundle of cosign 3, as podman does not', async () => {
    writePolicy(SIGSTORE);
    await makeBundle(image.root, signer).pushTo(app());
    expectRefused(await copy(), 'it has no signature');
  });

  test('says that registries.d turns sigstore signatures off', async () => {
    writePlaces('use-sigstore-attachments: false');
    writePolicy(SIGSTORE);
    await sign();
    expectRefused(await copy(), 'use-sigstore-attachments: true');
  });

  test('each image of an index needs a signature, and the index needs none', async () => {
    writePolicy(SIGSTORE);
    await index.pushAll(app(), 'all');
    const name = `${source.host}/app`;
    await makeSimpleSigning(index.root, signer, { name }).pushTo(app(), signatureTag(index.root));
    expectRefused(await copy('app:all'), 'it has no signature');
    const [first, ...others] = index.images;
    if (first === undefined) throw new Error('The index has images');
    const signOne = ({ root }: Pick<typeof first, 'root'>) =>
      makeSimpleSigning(root, signer, { name }).pushTo(app(), signatureTag(root));
    await signOne(first);
    expectRefused(await copy('app:all'), 'it has no signature');
    expectDone(await copy('app:all', '--platform', 'linux/amd64'));
    expectDone(await run('pull', ...CONTAINERS, '--platform', 'linux/amd64', `${name}:all`));
    for (const other of others) await signOne(other);
    expectDone(await copy('app:all'));
  });

  test('a smaller index may be made of signed images', async () => {
    writePolicy(SIGSTORE);
    const platforms = ['amd64', 'arm64', 's390x'].map((architecture) => ({
      os: 'linux',
      architecture,
    }));
    const three = makeIndex({ seed: 9, platforms });
    await three.pushAll(app(), 'three');
    const two = three.images.slice(0, 2);
    for (const { root } of two)
      await makeSimpleSigning(root, signer, { name: `${source.host}/app` }).pushTo(
        app(),
        signatureTag(root),
      );
    const flags = ['--platform', 'linux/amd64', '--platform', 'linux/arm64'];
    expectDone(await copy('app:three', ...flags));
    expectDone(await copy('app:three', ...flags, '--sparse'));
    expect(await copy('app:three', '--platform', 'linux/s390x', '--sparse')).toMatchObject({
      status: 9,
    });
  });

  test('a scope with a tag holds for that tag alone, in commands over all tags too', async () => {
    await image.pushAll(app(), '2');
    writePolicy(ACCEPT, { docker: { [`${source.host}/app:2`]: REJECT } });
    const argv = ['--all-tags', `${source.host}/app`];
    for (const line of [
      ['copy', ...CONTAINERS, '-k', ...argv, `${destination.host}/to`],
      ['export', ...CONTAINERS, ...argv, '-o', 'all.tar'],
      ['pull', ...CONTAINERS, ...argv],
    ]) {
      const result = await run(...line);
      expect(result.status, result.stderr).not.toBe(0);
      expect(result.stderr).toContain(`scope ${source.host}/app:2`);
    }
  });

  test('a folder is decided by its path, and its signatures are read', async () => {
    await sign();
    expectDone(await run('copy', `${source.host}/app:1`, 'oci:layout:1'));
    const [from, to] = ['oci:layout:1', `${destination.host}/to:1`];
    const named = {
      ...SIGSTORE[0],
      signedIdentity: { type: 'exactRepository', dockerRepository: `${source.host}/app` },
    };
    writePolicy(ACCEPT, { oci: { [join(cwd, 'layout')]: [named] } });
    expectRefused(await run('copy', ...CONTAINERS, from, to), 'it has no signature');
    const tag = signatureTag(image.root);
    expectDone(await run('copy', `${source.host}/app:${tag}`, `oci:layout:${tag}`));
    expectDone(await run('copy', ...CONTAINERS, from, to));
    // Only a name that the policy itself states can be compared.
    writePolicy(ACCEPT, { oci: { [cwd]: SIGSTORE } });
    expect(await run('copy', ...CONTAINERS, from, to)).toMatchObject({ status: 9 });
  });

  test('the rules of both formats decide about an archive whose format was not named', async () => {
    expectDone(await run('export', `${source.host}/app:1`, '-o', 'app.tar'));
    writePolicy(REJECT, { 'docker-archive': { '': ACCEPT } });
    const import_ = (file: string) => run('import', ...CONTAINERS, file, destination.host);
    expect(await import_('app.tar')).toMatchObject({ status: 9 });
    expectDone(await import_('docker-archive:app.tar'));
    writePolicy(REJECT, { 'docker-archive': { '': ACCEPT }, 'oci-archive': { [cwd]: ACCEPT } });
    expectDone(await import_('app.tar'));
  });

  test('the destination decides about an image of the local store', async () => {
    expectDone(await run('pull', `${source.host}/app:1`));
    const [from, to] = [`local:${source.host}/app:1`, `${destination.host}/to:1`];
    writePolicy(ACCEPT, { docker: { [destination.host]: REJECT } });
    expect(await run('tag', ...CONTAINERS, from, to)).toMatchObject({ status: 9 });
    expectDone(await run('tag', from, to));
    expectRefused(await run('push', ...CONTAINERS, to), 'the policy rejects it');
    writePolicy(REJECT, { docker: { [destination.host]: ACCEPT } });
    expectDone(await run('push', ...CONTAINERS, to));
    expectDone(await run('tag', ...CONTAINERS, to, `${destination.host}/to:2`));
  });

  test('verify --signatures shows each signature with its step', async () => {
    writePolicy(SIGSTORE);
    await sign();
    const verify = () => run('verify', '--signatures', ...CONTAINERS, `${source.host}/app:1`);
    const good = await verify();
    expectDone(good);
    expect(good.stdout).toMatch(/\.sig +simple-signing +ok +cosign\.pub/);
    await sign(stranger);
    const bad = await verify();
    expect(bad).toMatchObject({ status: 9 });
    expect(bad.stdout).toMatch(/\.sig +simple-signing +signature +no key of the policy/);
  });

  test('--as names an image of a registry, whatever holds it here', async () => {
    await sign();
    await run('export', '--referrers', `${source.host}/app:1`, '-o', 'app.tar');
    writePolicy(ACCEPT, { docker: { [`${source.host}/app`]: SIGSTORE } });
    const argv = ['verify', '--signatures', ...CONTAINERS, '--as', `${source.host}/app:1`];
    const text = `archive:app.tar:${source.host}/app:1`;
    const verified = await run(...argv, text);
    expectDone(verified);
    expect(verified.stdout).toContain('cosign.pub');
  });

  test('a user without a home reads the policy that is named', async () => {
    writeFileSync(join(cwd, 'own.json'), JSON.stringify({ default: ACCEPT }));
    const argv = ['copy', ...CONTAINERS, '--policy-file', 'own.json'];
    const images = [`${source.host}/app:1`, `${destination.host}/to:1`];
    expectDone(await runMain([...argv, ...images], { cwd, home: '/dev/null/no-home' }));
  });

  test('sync applies it to every image, and not beside a rule of its own', async () => {
    writePolicy(REJECT, { docker: { [`${source.host}/app`]: SIGSTORE } });
    const entry = `from: ${source.host}/app, to: ${destination.host}/to, tags: ['1']`;
    writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages:\n  - {${entry}}\n`);
    const sync = () => run('sync', ...CONTAINERS, 'mirror.yaml');
    const refused = await sync();
    expect(refused).toMatchObject({ status: 8 });
    expect(refused.stderr).toContain('it has no signature');
    await sign();
    expectDone(await sync());
    writeFileSync(
      join(cwd, 'mirror.yaml'),
      `version: 1\nimages:\n  - {${entry}, verify: own}\npolicies:\n  own: {key: cosign.pub}\n`,
    );
    expect(await sync()).toMatchObject({ status: 2, stderr: expect.stringContaining('verify') });
  });

  test.each([
    [['--policy', 'podman'], 2, 'expected containers'],
    [['--policy-file', 'p.json'], 2, 'expected --policy containers beside it'],
    [[...CONTAINERS, '--key', 'cosign.pub'], 2, 'expected one'],
    [[...CONTAINERS, '--policy-file', 'none.json'], 2, 'there is no such file'],
  ])('refuses %s', async (flags, status, text) => {
    writePolicy(REJECT);
    const result = await run('copy', ...flags, `${source.host}/app:1`, `${destination.host}/to:1`);
    expect(result, result.stderr).toMatchObject({ status });
    expect(result.stderr).toContain(text);
    expect(source.requests).toEqual([]);
  });

  test('reads the file of --policy-file, and names a mistake before the first request', async () => {
    writePolicy(REJECT);
    writeFileSync(join(cwd, 'own.json'), JSON.stringify({ default: ACCEPT }));
    expectDone(await copy('app:1', '--policy-file', 'own.json'));
    const { requests } = source;
    const before = requests.length;
    writeFileSync(join(cwd, 'own.json'), JSON.stringify({ default: ACCEPT, defualt: [] }));
    const mistaken = await copy('app:1', '--policy-file', 'own.json');
    expect(mistaken).toMatchObject({ status: 2 });
    expect(mistaken.stderr).toContain('own.json:1:');
    expect(source.requests.length).toBe(before);
  });

  test('a key that is missing is an error, where the image needs it', async () => {
    writePolicy([{ type: 'sigstoreSigned', keyPath: 'none.pub' }]);
    await sign();
    const result = await copy();
    expect(result).toMatchObject({ status: 2 });
    expect(result.stderr).toContain('Cannot find the key "none.pub"');
  });

  test('what regi does not verify is refused, and never left out', async () => {
    writePolicy([
      ...ACCEPT,
      { type: 'sigstoreSigned', pki: { caRootsPath: 'ca.pem', subjectEmail: 'a@b.example' } },
    ]);
    expectRefused(await copy(), 'regi does not verify "pki"');
  });
});

describeReal('--policy containers with GPG', ['gpg', 'gpgv'], () => {
  let gpg: Gpg;
  let signatures: Map<string, Buffer>;
  const GPG = [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: 'key.gpg' }];
  const pathOf = (number: number, digest: Digest = image.root.digest): string =>
    `/sig/app@sha256=${encodedOf(digest)}/signature-${number}`;
  const signGpg = (by: string, digest: Digest = image.root.digest, tag = '1'): Promise<Buffer> =>
    gpg.sign(makeGpgPayload(digest, `${source.host}/app:${tag}`), [by]);

  beforeAll(async () => {
    gpg = makeGpg();
    for (const name of ['good@test', 'other@test']) await gpg.makeKey(name);
  });

  beforeEach(async () => {
    await image.pushAll(app(), '1');
    signatures = new Map();
    writeFileSync(join(cwd, 'key.gpg'), await gpg.exported('good@test'));
    writePolicy(GPG);
  });

  const serve: RequestListener = ({ url = '' }, response) => {
    const bytes = signatures.get(url);
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  };

  test('reads the signatures of a lookaside up to the first that is absent', async () => {
    const { origin } = await startHttpServer(serve);
    writePlaces(`lookaside: ${origin}/sig`);
    expectRefused(await copy(), 'it has no signature');
    signatures.set(pathOf(1), await signGpg('other@test'));
    expectRefused(await copy(), 'signature-1  gpg  signature  no key of the policy');
    signatures.set(pathOf(3), await signGpg('good@test'));
    expectRefused(await copy(), 'no key of the policy');
    signatures.set(pathOf(2), await signGpg('good@test'));
    expectDone(await copy());
    const verified = await run('verify', '--signatures', ...CONTAINERS, `${source.host}/app:1`);
    expect(verified.stdout).toMatch(/signature-2 +gpg +ok +[0-9A-F]{40}/);
  });

  test('reads a lookaside that is a folder', async () => {
    writePlaces(`lookaside: file://${cwd}/sig`);
    expectRefused(await copy(), 'it has no signature');
    const path = join(cwd, pathOf(1));
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, await signGpg('good@test', image.root.digest, '2'));
    expectRefused(await copy(), 'content  it is of the name');
    writeFileSync(path, await signGpg('good@test', index.root.digest));
    expectRefused(await copy(), 'content  it signs another image');
    writeFileSync(path, await signGpg('good@test'));
    expectDone(await copy());
  });

  test.each([500, 403])(
    'a lookaside that answers %d is an error, never "unsigned"',
    async (status) => {
      const { origin } = await startHttpServer((_, response) => response.writeHead(status).end());
      writePlaces(`lookaside: ${origin}/sig`);
      const result = await copy();
      expect([4, 5]).toContain(result.status);
      expect(result.stderr).toContain('Cannot read the signature at 127.0.0.1:');
      expect(destination.requests.every(({ method }) => ['GET', 'HEAD'].includes(method))).toBe(
        true,
      );
    },
  );

  test('a lookaside without an end is an error', async () => {
    const message = await signGpg('other@test');
    const { origin } = await startHttpServer((_, response) => response.writeHead(200).end(message));
    writePlaces(`lookaside: ${origin}/sig`);
    const result = await copy();
    expect(result).toMatchObject({ status: 7 });
    expect(result.stderr).toContain('Cannot read more than 128 signatures');
  });

  test('a signature that is too large is an error', async () => {
    const { origin } = await startHttpServer((_, response) =>
      response.writeHead(200).end(Buffer.alloc(2 * 1024 * 1024)),
    );
    writePlaces(`lookaside: ${origin}/sig`);
    expect(await copy()).toMatchObject({ status: 7 });
  });

  test('a lookaside of another scheme is a mistake of registries.d', async () => {
    writePlaces('lookaside: ftp://a.example/sig');
    const result = await copy();
    expect(result).toMatchObject({ status: 2 });
    expect(result.stderr).toContain('expected a URL with file:///, http: or https:, found ftp:');
  });
});
