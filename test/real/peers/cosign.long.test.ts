import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { runRegi, type RegiFinished } from '../../support/cli/regi.ts';
import { describePeer, peerClient, type PeerClient } from '../../support/programs/peers.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { startServe } from '../../support/registries/serve.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

/** Signing and verifying without a log, and without asking sigstore's servers. */
const SIGN = ['--use-signing-config=false', '--tlog-upload=false', '--allow-insecure-registry'];
const VERIFY = ['--insecure-ignore-tlog', '--allow-insecure-registry'];
/** Whether cosign writes its newer form. */
const FORMS = ['true', 'false'] as const;
const PROVENANCE = 'https://slsa.dev/provenance/v1';

let fixture: Fixture;
let folder: string;

const path = (name: string): string => join(folder, name);
const key = (name: string): readonly string[] => ['--key', `${path(name)}.pub`];

/** A registry without and one with a referrers API. */
const PLACES: readonly (readonly [string, () => Promise<string>])[] = [
  ['docker-registry', async () => (await startDockerRegistry()).host],
  ['regi serve', async () => (await startServe(['--memory'])).host],
];

describePeer('cosign, and skopeo as a signer', 'sid', ['cosign', 'skopeo'], () => {
  const cosign = peerClient('sid', 'cosign', [], { COSIGN_PASSWORD: 'test' });

  beforeAll(async () => {
    fixture = await makeFixture(7);
    folder = temporaryFolder('cosign');
    const pairs: Readonly<Record<string, { readonly privateKey: KeyObject }>> = {
      p256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
      other: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
      p384: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
      rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    };
    for (const [name, { privateKey }] of Object.entries(pairs)) {
      writeFileSync(path(`${name}.pem`), privateKey.export({ format: 'pem', type: 'pkcs8' }));
      const argv = ['--key', path(`${name}.pem`), '--output-key-prefix', path(name)];
      await cosign.run('import-key-pair', ...argv);
    }
  });

  /** Puts the unsigned index at `HOST/REPOSITORY:1`. */
  async function put(host: string, repository: string): Promise<string> {
    const image = `${host}/${repository}`;
    await regi('copy', `oci:${fixture.layout}:1`, `${image}:1`);
    return image;
  }

  /** Signs the index with cosign. */
  function sign(
    image: string,
    name: string,
    form: string,
    more: readonly string[] = [],
    client: PeerClient = cosign,
  ): Promise<string> {
    const argv = ['--key', `${path(name)}.key`, ...SIGN, '-y', `--new-bundle-format=${form}`];
    return client.run('sign', ...argv, ...more, `${image}@${fixture.image.root.digest}`);
  }

  function verify(image: string, ...flags: readonly string[]): Promise<RegiFinished> {
    return runRegi(['verify', '--signatures', ...flags, image]);
  }

  /** Writes a policy of one rule for everything on loopback. */
  function policy(rule: string): readonly string[] {
    const file = path('policy.yaml');
    writeFileSync(file, `version: 1\nscopes:\n  '*.0.0.1': ${rule}\n`);
    return ['--verify', file];
  }

  /** Moves the image in each way, with the rule that has to hold. */
  async function moved(
    host: string,
    image: string,
    flags: readonly string[],
    rule: string,
  ): Promise<readonly string[]> {
    await regi('copy', ...flags, `${image}:1`, `${image}-copy:1`);
    const archive = join(temporaryFolder('sent'), 'signed.tar');
    await regi('export', ...flags, `${image}:1`, '-o', archive);
    await regi('import', ...flags, archive, `${host}/imported`);
    const file = path('sync.yaml');
    const entry = `{from: '${image}:1', to: '${image}-sync:1', verify: ours}`;
    writeFileSync(file, `version: 1\nimages:\n  - ${entry}\npolicies: {ours: ${rule}}\n`);
    await regi('sync', file);
    const imported = `${host}/imported${image.slice(host.length)}`;
    return [`${image}-copy:1`, `${imported}:1`, `${image}-sync:1`];
  }

  describe.each(PLACES)('in %s', (_, start) => {
    let host: string;

    beforeAll(async () => {
      host = await start();
    });

    test.each(
      ['p256', 'rsa', 'p384'].flatMap((name) => FORMS.map((form) => [name, form] as const)),
    )(
      'regi verifies the key %s, new form %s; what it moves, cosign verifies',
      async (name, form) => {
        const image = await put(host, `signed/${name}-${form}`);
        expect(await verify(`${image}:1`, ...key(name))).toMatchObject({ status: 9 });
        await sign(image, name, form);
        const good = await verify(`${image}:1`, ...key(name));
        expect(good, good.stderr).toMatchObject({ status: 0 });
        expect(good.stdout).toContain(`signed ${image}:1@${fixture.image.root.digest}`);
        expect(await verify(`${image}:1`, ...key('other'))).toMatchObject({ status: 9 });
        const to = `${image}-other:1`;
        const refused = await runRegi(['copy', ...key('other'), `${image}:1`, to]);
        expect(refused, refused.stderr).toMatchObject({ status: 9 });
        expect(await runRegi(['digest', to])).toMatchObject({ status: 3 });
        // cosign asks for the hash of P-384 that it has signed with.
        const hash = name === 'p384' ? ['--signature-digest-algorithm', 'sha384'] : [];
        const rule = `{key: ${path(name)}.pub}`;
        for (const place of await moved(host, image, key(name), rule)) {
          expect(await verify(place, ...key(name))).toMatchObject({ status: 0 });
          await cosign.run('verify', ...key(name), ...hash, ...VERIFY, place);
        }
      },
    );

    test.each(FORMS)(
      '--recursive signs a platform too, which moves alone; new form %s',
      async (form) => {
        const image = await put(host, `recursive/${form}`);
        await sign(image, 'p256', form, ['--recursive']);
        const to = `${image}-amd64:1`;
        await regi('copy', ...key('p256'), '--platform', 'linux/amd64', `${image}:1`, to);
        expect(await regi('digest', to)).toBe(fixture.amd64.root.digest);
        expect(await verify(to, ...key('p256'))).toMatchObject({ status: 0 });
        await cosign.run('verify', ...key('p256'), ...VERIFY, to);
        // The children of a whole index keep their signatures too.
        await regi('copy', ...key('p256'), `${image}:1`, `${image}-whole:1`);
        const child = `${image}-whole@${fixture.amd64.root.digest}`;
        expect(await verify(child, ...key('p256'))).toMatchObject({ status: 0 });
        await cosign.run('verify', ...key('p256'), ...VERIFY, child);
      },
    );

    test.each(FORMS)('two annotations have to be signed; new form %s', async (form) => {
      const image = await put(host, `annotated/${form}`);
      const pairs = ['-a', 'env=prod', '-a', 'team=core'];
      await sign(image, 'p256', form, pairs);
      const rule = (team: string): string =>
        `{key: ${path('p256')}.pub, annotations: {env: prod, team: ${team}}}`;
      const wrong = await verify(`${image}:1`, ...policy(rule('other')));
      expect(wrong).toMatchObject({ status: 9 });
      expect(wrong.stdout).toContain('it lacks the annotations that the policy asks for');
      const flags = policy(rule('core'));
      for (const place of await moved(host, image, flags, rule('core'))) {
        expect(await verify(place, ...flags)).toMatchObject({ status: 0 });
        await cosign.run('verify', ...key('p256'), ...pairs, ...VERIFY, place);
      }
    });

    test.each(FORMS)('a threshold of two keys wants both; new form %s', async (form) => {
      const image = await put(host, `threshold/${form}`);
      const rule = `{keys: [${path('p256')}.pub, ${path('rsa')}.pub], threshold: 2}`;
      const flags = policy(rule);
      for (const name of ['p256', 'p256']) await sign(image, name, form);
      const one = await verify(`${image}:1`, ...flags);
      expect(one, one.stdout).toMatchObject({ status: 9 });
      expect(one.stderr).toContain('at the step "threshold"');
      await sign(image, 'rsa', form);
      for (const place of await moved(host, image, flags, rule)) {
        const both = await verify(place, ...flags);
        expect(both, both.stderr).toMatchObject({ status: 0 });
        for (const name of ['p256', 'rsa'])
          await cosign.run('verify', ...key(name), ...VERIFY, place);
      }
    });

    test.each(FORMS)(
      'an attestation counts where the policy names its type; new form %s',
      async (form) => {
        const image = await put(host, `attested/${form}`);
        const predicate = path('predicate.json');
        writeFileSync(predicate, '{"buildDefinition": {"buildType": "https://ci.example/1"}}');
        const argv = ['--key', `${path('p256')}.key`, ...SIGN, '-y', `--new-bundle-format=${form}`];
        const statement = ['--type', 'slsaprovenance1', '--predicate', predicate];
        const pinned = `${image}@${fixture.image.root.digest}`;
        await cosign.run('attest', ...argv, ...statement, pinned);
        expect(await verify(`${image}:1`, ...key('p256'))).toMatchObject({ status: 9 });
        const rule = `{key: ${path('p256')}.pub, predicateTypes: ['${PROVENANCE}']}`;
        const flags = policy(rule);
        for (const place of await moved(host, image, flags, rule)) {
          const attested = await verify(place, ...flags);
          expect(attested, attested.stderr).toMatchObject({ status: 0 });
          const type = ['--type', 'slsaprovenance1'];
          await cosign.run('verify-attestation', ...key('p256'), ...type, ...VERIFY, place);
        }
      },
    );

    test.each(FORMS)(
      'signaturesFrom finds what cosign keeps with COSIGN_REPOSITORY, and it moves along; new form %s',
      async (form) => {
        const image = await put(host, `app-${form}`);
        const elsewhere = `${host}/signatures-${form}`;
        const variables = { COSIGN_PASSWORD: 'test', COSIGN_REPOSITORY: elsewhere };
        await sign(image, 'p256', form, [], peerClient('sid', 'cosign', [], variables));
        expect(await verify(`${image}:1`, ...key('p256'))).toMatchObject({ status: 9 });
        const flags = policy(`{key: ${path('p256')}.pub, signaturesFrom: '${elsewhere}'}`);
        await regi('copy', ...flags, `${image}:1`, `${image}-copy:1`);
        const copied = await verify(`${image}-copy:1`, ...key('p256'));
        expect(copied, copied.stderr).toMatchObject({ status: 0 });
        await cosign.run('verify', ...key('p256'), ...VERIFY, `${image}-copy:1`);
      },
    );

    test('regi verifies what skopeo signs, and cosign what regi has moved', async () => {
      const image = `${host}/skopeo/signed`;
      const d = path('registries.d');
      mkdirSync(d, { recursive: true });
      writeFileSync(join(d, 'a.yaml'), 'default-docker: { use-sigstore-attachments: true }\n');
      writeFileSync(path('passphrase'), 'test');
      await peerClient('sid', 'skopeo', ['--registries.d', d]).run(
        'copy',
        '--quiet',
        '--dest-tls-verify=false',
        '--sign-by-sigstore-private-key',
        `${path('p256')}.key`,
        '--sign-passphrase-file',
        path('passphrase'),
        `oci:${fixture.layout}:amd64`,
        `docker://${image}:1`,
      );
      expect(await verify(`${image}:1`, ...key('other'))).toMatchObject({ status: 9 });
      const rule = `{key: ${path('p256')}.pub}`;
      for (const place of await moved(host, image, key('p256'), rule)) {
        expect(await verify(place, ...key('p256'))).toMatchObject({ status: 0 });
        await cosign.run('verify', ...key('p256'), ...VERIFY, place);
      }
    });
  });
});
