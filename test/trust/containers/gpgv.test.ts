import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test, vi } from 'vitest';

import { digestOf } from '../../../src/oci/digest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { dearmored } from '../../../src/trust/containers/armor.ts';
import { verifyWithGpgv } from '../../../src/trust/containers/gpgv.ts';
import { checkPayload } from '../../../src/trust/containers/payload.ts';
import { makeGpg, type Gpg } from '../../support/programs/gpg.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const FOLDER = join(import.meta.dirname, '../../tables/trust');

interface GpgCase {
  readonly id: string;
  readonly image: string;
  readonly signature: string;
  readonly keyring: string;
  readonly expect: string;
}

const CASES = readFileSync(join(FOLDER, 'cases.json'), 'utf8')
  .split('\n')
  .filter((line) => line.includes('"kind":"gpg"'))
  .map((line) => JSON.parse(line.trim().replace(/,$/, '')) as GpgCase);

const read = (path: string): Buffer => readFileSync(join(FOLDER, path));
const env = { PATH: process.env['PATH'] };
const verify = (message: Uint8Array, ...keyrings: readonly Uint8Array[]) =>
  verifyWithGpgv(message, keyrings, env, {});

describeReal('verifyWithGpgv()', ['gpgv'], () => {
  test('there are five cases', () => expect(CASES).toHaveLength(5));

  test.each(CASES.map((row) => [row.id, row] as const))('%s', async (_, row) => {
    const keyring = dearmored(read(row.keyring), row.keyring);
    const verdict = await verify(read(row.signature), keyring);
    if (!verdict.isGood) {
      expect(row.expect).toBe('signature');
      return;
    }
    const refused = checkPayload(verdict.content, {
      type: 'atomic container signature',
      digest: digestOf(read(row.image)),
      identity: { type: 'matchRepoDigestOrExact' },
      image: parseReference('127.0.0.1:5861/gpg/app:v1'),
    });
    expect(refused?.step ?? 'ok').toBe(row.expect);
  });

  test('takes a key of any of several keyrings', async () => {
    const [other, key] = [read('gpg/other.gpg'), read('gpg/key.gpg')];
    const verdict = await verify(read('gpg/signature-1'), other, key);
    expect(verdict).toMatchObject({ isGood: true, fingerprint: expect.stringMatching(/^6F20/) });
  });

  test('refuses what is no message, and reads no keyring but its own', async () => {
    expect(await verify(Buffer.from('hello'), read('gpg/key.gpg'))).toMatchObject({
      isGood: false,
      reason: 'it is no signed message',
    });
    expect(await verify(read('gpg/signature-1'), Buffer.alloc(0))).toMatchObject({ isGood: false });
  });

  test('leaves no file behind', async () => {
    const folder = temporaryFolder('tmp');
    vi.stubEnv('TMPDIR', folder);
    try {
      await verify(read('gpg/signature-1'), read('gpg/key.gpg'));
    } finally {
      vi.unstubAllEnvs();
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test('says that gpgv is not installed', async () => {
    await expect(
      verifyWithGpgv(read('gpg/signature-1'), [], { PATH: temporaryFolder('empty') }, {}),
    ).rejects.toMatchObject({ code: 'UNSUPPORTED', hint: 'install it: apt install gpgv' });
  });
});

describeReal('verifyWithGpgv() of what gpg makes', ['gpgv', 'gpg'], () => {
  let gpg: Gpg;
  const sign: Gpg['sign'] = (...args) => gpg.sign(...args);
  const CONTENT = '{"critical":{}}';

  beforeAll(async () => {
    gpg = makeGpg();
    await gpg.makeKey('good@test');
    await gpg.makeKey('second@test');
    await gpg.makeKey('old@test', '2020-02-01', '--faked-system-time', '20200101T000000!');
  });

  test('returns the signed bytes of a good signature', async () => {
    const verdict = await verify(
      await sign(CONTENT, ['good@test']),
      await gpg.exported('good@test'),
    );
    expect(verdict).toMatchObject({ isGood: true });
    expect(verdict.isGood && Buffer.from(verdict.content).toString()).toBe(CONTENT);
  });

  test('refuses a key that has expired, and a signature that has', async () => {
    const past = ['--faked-system-time', '20200102T000000!'];
    const old = await sign(CONTENT, ['old@test'], ...past);
    expect(await verify(old, await gpg.exported('old@test'))).toEqual({
      isGood: false,
      reason: 'the key that made its signature has expired',
    });
    const soon = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10).replaceAll('-', '');
    const short = ['--faked-system-time', `${soon}T000000!`, '--default-sig-expire', '1'];
    await gpg.makeKey('young@test', 'never', '--faked-system-time', '20200101T000000!');
    expect(
      await verify(await sign(CONTENT, ['young@test'], ...short), await gpg.exported('young@test')),
    ).toEqual({
      isGood: false,
      reason: 'its signature has expired',
    });
  });

  test('refuses two signatures, although both are good', async () => {
    const message = await sign(CONTENT, ['good@test', 'second@test']);
    expect(await verify(message, await gpg.exported('good@test', 'second@test'))).toMatchObject({
      isGood: false,
      reason: expect.stringContaining('2 times'),
    });
    // Of one known and one unknown key, the unknown one counts too.
    expect(await verify(message, await gpg.exported('good@test'))).toMatchObject({ isGood: false });
  });

  test('refuses a revoked key', async () => {
    await gpg.makeKey('gone@test');
    const message = await sign(CONTENT, ['gone@test']);
    const listed = await gpg.run('--with-colons', '--list-keys', 'gone@test');
    const print = /^fpr:+(?<print>[0-9A-F]{40}):/m.exec(listed)?.groups?.['print'] ?? '';
    const certificate = join(gpg.home, 'openpgp-revocs.d', `${print}.rev`);
    // A colon keeps it from being imported by accident.
    const text = readFileSync(certificate, 'utf8').replace(':-----BEGIN', '-----BEGIN');
    writeFileSync(certificate, text);
    await gpg.run('--import', certificate);
    expect(await verify(message, await gpg.exported('gone@test'))).toEqual({
      isGood: false,
      reason: 'the key that made its signature is revoked',
    });
  });

  test('stops a message that unpacks to more than a signature', async () => {
    const message = await sign(Buffer.alloc(20 * 1024 * 1024), ['good@test']);
    expect(message.byteLength).toBeLessThan(100_000);
    expect(await verify(message, await gpg.exported('good@test'))).toEqual({
      isGood: false,
      reason: 'its content is longer than that of a signature',
    });
  });
});
