import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { RegiError } from '../../../src/errors.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import type { PolicyImage } from '../../../src/trust/containers/image-names.ts';
import { parsePolicyJson } from '../../../src/trust/containers/policy-json.ts';

const FOLDER = join(import.meta.dirname, '../../tables/trust');
const REJECT = [{ type: 'reject' }];
const ACCEPT = [{ type: 'insecureAcceptAnything' }];

const parse = (policy: unknown) =>
  parsePolicyJson(typeof policy === 'string' ? policy : JSON.stringify(policy), {
    name: 'policy.json',
    readKey: async (path) => {
      if (path.startsWith('missing')) throw new RegiError('INVALID_CONFIG', `no ${path}`);
      return readFileSync(join(FOLDER, path));
    },
  });

const registry = (text: string): PolicyImage => ({
  transport: 'docker',
  reference: parseReference(text),
});

async function mistake(policy: unknown): Promise<string> {
  const error = await parse(policy).catch((thrown: unknown) => thrown);
  if (!(error instanceof RegiError)) throw new Error('The policy was accepted');
  expect(error.code).toBe('INVALID_CONFIG');
  return error.message;
}

const requiring = (requirement: object): object => ({ default: [requirement] });

describe('parsePolicyJson()', () => {
  test.each([
    ['r.test/team/app:1', 'r.test/team/app:1'],
    ['r.test/team/app:2', 'r.test/team/app'],
    [`r.test/team/app@sha256:${'0'.repeat(64)}`, `r.test/team/app@sha256:${'0'.repeat(64)}`],
    ['r.test/team/other:1', 'r.test/team'],
    // Whole components: this is no image of the team.
    ['r.test/teamevil/app:1', 'r.test'],
    ['r.test:5000/app:1', '*.test'],
    ['a.b.test/app:1', '*.b.test'],
    ['a.c.test/app:1', '*.test'],
    ['busybox:1', 'docker.io/library/busybox'],
    ['other.example/app:1', 'docker:'],
  ])('finds for %s the scope %s', async (name, scope) => {
    const scopes = [
      'r.test/team/app:1',
      `r.test/team/app@sha256:${'0'.repeat(64)}`,
      'r.test/team/app',
      'r.test/team',
      'r.test',
      '*.test',
      '*.b.test',
      'docker.io/library/busybox',
      '',
    ];
    const docker = Object.fromEntries(scopes.map((one) => [one, REJECT]));
    const { requirementsFor } = await parse({ default: ACCEPT, transports: { docker } });
    expect(requirementsFor(registry(name))).toMatchObject({ scope, requirements: REJECT });
  });

  test('falls back to the default where the transport has no scope for the image', async () => {
    const policy = await parse({
      default: REJECT,
      transports: { docker: { 'r.test': ACCEPT }, oci: { '/srv/images': ACCEPT } },
    });
    expect(policy.requirementsFor(registry('s.test/app:1')).scope).toBe('default');
    expect(policy.requirementsFor({ transport: 'docker-archive', path: '/srv/images' }).scope).toBe(
      'default',
    );
  });

  test.each([
    ['/srv/images', '/srv/images'],
    ['/srv/images/app', '/srv/images'],
    ['/srv/imagesevil', 'oci:'],
    ['/', 'oci:'],
  ])('finds for the folder %s the scope %s', async (path, scope) => {
    const oci = { '/srv/images': ACCEPT, '': REJECT };
    const { requirementsFor } = await parse({ default: REJECT, transports: { oci } });
    expect(requirementsFor({ transport: 'oci', path }).scope).toBe(scope);
  });

  test('reads the keys of each kind of requirement', async () => {
    const keyData = readFileSync(join(FOLDER, 'keys/p256.pub')).toString('base64');
    const { requirementsFor } = await parse({
      default: [
        { type: 'signedBy', keyType: 'GPGKeys', keyPath: 'gpg/key.asc' },
        { type: 'signedBy', keyType: 'GPGKeys', keyPaths: ['gpg/key.gpg', 'gpg/other.gpg'] },
        { type: 'sigstoreSigned', keyData, signedIdentity: { type: 'matchRepository' } },
        { type: 'sigstoreSigned', keyDatas: [keyData, keyData] },
        { type: 'sigstoreSigned', keyPath: 'keys/p384.pub', rekorPublicKeyPath: 'keys/p256.pub' },
      ],
    });
    expect(requirementsFor(registry('a.test/b:1')).requirements).toMatchObject([
      { keyrings: [expect.anything()], identity: { type: 'matchRepoDigestOrExact' } },
      { keyrings: [expect.anything(), expect.anything()] },
      { keys: [{ hash: 'sha256' }], log: undefined, identity: { type: 'matchRepository' } },
      { keys: [expect.anything(), expect.anything()] },
      // podman and skopeo verify with SHA-256 whatever the key is.
      { keys: [{ hash: 'sha256' }], log: { logs: [{ id: expect.any(String) }] } },
    ]);
  });

  test('a key that cannot be used spoils only the requirement that names it', async () => {
    const docker = {
      'r.test': [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: 'missing.gpg' }],
      's.test': [{ type: 'sigstoreSigned', keyPath: 'gpg/key.asc' }],
      't.test': ACCEPT,
    };
    const { requirementsFor } = await parse({ default: REJECT, transports: { docker } });
    const of = (name: string) => requirementsFor(registry(name)).requirements;
    expect(of('r.test/a:1')).toMatchObject([
      { type: 'broken', error: { message: 'no missing.gpg' } },
    ]);
    expect(of('s.test/a:1')).toMatchObject([
      { type: 'broken', error: { message: expect.stringContaining('PGP PUBLIC KEY BLOCK') } },
    ]);
    expect(of('t.test/a:1')).toEqual(ACCEPT);
  });

  test.each([
    ['signedBaseLayer', { type: 'signedBaseLayer', baseLayerIdentity: { type: 'matchExact' } }],
    ['X509Certificates', { type: 'signedBy', keyType: 'X509Certificates', keyPath: 'a' }],
    ['"pki"', { type: 'sigstoreSigned', pki: { caRootsPath: 'a', subjectEmail: 'a@b' } }],
    [
      '"fulcio"',
      {
        type: 'sigstoreSigned',
        fulcio: { caPath: 'a', oidcIssuer: 'https://a', subjectEmail: 'a@b' },
        rekorPublicKeyPath: 'b',
      },
    ],
  ])('says that %s is not verified', async (text, requirement) => {
    const { requirementsFor } = await parse(requiring(requirement));
    expect(requirementsFor(registry('a.test/b:1')).requirements).toEqual([
      { type: 'unsupported', reason: expect.stringContaining(text) },
    ]);
  });

  test.each([
    ['an unknown member', { default: REJECT, defualt: [] }, 'unknown key "defualt"'],
    ['no default', { transports: {} }, 'expected the key "default"'],
    ['an empty list', { default: [] }, 'expected at least 1 in default'],
    ['an unknown type', requiring({ type: 'accept' }), 'in default[0]'],
    [
      'a member of another type',
      requiring({ type: 'reject', keyPath: 'a' }),
      'unknown key "keyPath"',
    ],
    ['no key', requiring({ type: 'sigstoreSigned' }), 'expected one of keyPath, '],
    [
      'two keys',
      requiring({ type: 'signedBy', keyType: 'GPGKeys', keyPath: 'a', keyData: 'YQ==' }),
      'expected one of keyPath, keyPaths, keyData, found 2',
    ],
    [
      'an unknown type of key',
      requiring({ type: 'signedBy', keyType: 'PGP', keyPath: 'a' }),
      'keyType',
    ],
    [
      'an unknown identity',
      requiring({ type: 'sigstoreSigned', keyPath: 'a', signedIdentity: { type: 'any' } }),
      'signedIdentity',
    ],
    [
      'an exact reference without tag',
      requiring({
        type: 'sigstoreSigned',
        keyPath: 'a',
        signedIdentity: { type: 'exactReference', dockerReference: 'r.test/a' },
      }),
      'an image with a tag or digest',
    ],
    [
      'a prefix with a tag',
      requiring({
        type: 'sigstoreSigned',
        keyPath: 'a',
        signedIdentity: { type: 'remapIdentity', prefix: 'r.test/a:1', signedPrefix: 'r.test' },
      }),
      'HOST[:PORT]/PATH',
    ],
    [
      'a fulcio without a log',
      requiring({
        type: 'sigstoreSigned',
        fulcio: { caPath: 'a', oidcIssuer: 'b', subjectEmail: 'c' },
      }),
      'expected a Rekor key beside fulcio',
    ],
    [
      'a scope of archives of docker',
      { default: REJECT, transports: { 'docker-archive': { '/a': REJECT } } },
      'expected a scope of docker-archive',
    ],
    [
      'a relative folder',
      { default: REJECT, transports: { oci: { 'a/b': REJECT } } },
      'a scope of oci',
    ],
    [
      'the root folder',
      { default: REJECT, transports: { dir: { '/': REJECT } } },
      'a scope of dir',
    ],
  ])('refuses %s, and says where', async (_, policy, text) => {
    const message = await mistake(policy);
    expect(message).toContain(text);
    expect(message).toMatch(/^policy\.json:1:\d+: /);
  });

  test('refuses a name twice, and what is YAML and no JSON', async () => {
    expect(await mistake('{"default":[{"type":"reject"}],\n"default":[{"type":"reject"}]}')).toBe(
      'policy.json:2:1: expected each key once, found it twice in this map',
    );
    expect(await mistake('default: [{ type: reject }]')).toContain('expected JSON, found YAML');
    expect(await mistake('{"default":[{"type":"reject"}]} x')).toContain('policy.json:');
  });

  test('throws a RegiError and nothing else for any text', async () => {
    const word = fc.constantFrom(
      'default',
      'transports',
      'docker',
      'type',
      'reject',
      'signedBy',
      '',
    );
    const value = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        word,
        fc.integer(),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(word, tie('tree'), { maxKeys: 3 }),
      ),
    })).tree;
    const text = fc.oneof(
      fc.string(),
      value.map((tree) => JSON.stringify(tree)),
    );
    await fc.assert(
      fc.asyncProperty(text, async (policy) => {
        await parse(policy).catch((error: unknown) => expect(error).toBeInstanceOf(RegiError));
      }),
    );
  });
});
