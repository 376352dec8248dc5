import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { realClock } from '../../support/clock.ts';
import { makeIndex } from '../../support/images/images.ts';
import { makeGpg, type Gpg } from '../../support/programs/gpg.ts';
import { describePeer, peerClient, type PeerClient } from '../../support/programs/peers.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runOrThrow, runProgram } from '../../support/programs/run-program.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const REJECT = [{ type: 'reject' }];
const ACCEPT = [{ type: 'insecureAcceptAnything' }];
const HTTP = ['--src-tls-verify=false', '--dest-tls-verify=false'];

let gpg: Gpg;
let folder: string;
let home: string;
let layout: string;
let host: string;

/** An image and an index of two in a layout, and a registry with its lookaside in a folder. */
beforeAll(async () => {
  folder = temporaryFolder('policy');
  home = join(folder, 'home');
  mkdirSync(join(home, '.config/containers/registries.d'), { recursive: true });
  layout = join(folder, 'layout');
  const store = await openLayout(layout, { create: true, clock: realClock });
  const index = makeIndex({ seed: 3 });
  await index.pushAll(store, 'index');
  const [amd64] = index.images;
  if (amd64 !== undefined) await store.tag(amd64.root, 'image');
  ({ host } = await startDockerRegistry());
  writeFileSync(
    join(home, '.config/containers/registries.d/all.yaml'),
    [
      'default-docker:',
      '  use-sigstore-attachments: true',
      'docker:',
      `  ${host}:`,
      `    lookaside: file://${folder}/lookaside`,
      `  ${host}/off:`,
      '    use-sigstore-attachments: false',
      '',
    ].join('\n'),
  );
  gpg = makeGpg();
  for (const name of ['good@test', 'other@test']) {
    await gpg.makeKey(name);
    writeFileSync(join(folder, `${name}.gpg`), await gpg.exported(name));
    await gpg.run('--armor', '--output', join(folder, `${name}.asc`), '--export', name);
  }
});

type Policy = (one: { readonly name: string }) => unknown;

interface Verdict {
  readonly policy: Policy;
  /** Repository and tag. */
  readonly image: string;
  readonly isAccepted: boolean;
  /** Copies an index with all its images. */
  readonly all?: boolean;
}

/** Asks skopeo and regi for the verdict of a policy about an image. */
async function verdicts(
  skopeo: PeerClient,
  { policy, image, all = false }: Verdict,
): Promise<object> {
  const file = join(folder, 'policy.json');
  const [name = '', tag = ''] = image.split(':');
  writeFileSync(file, JSON.stringify(policy({ name: `${host}/${name}` })));
  const finished = await skopeo.finish(
    '--policy',
    file,
    '--registries.d',
    join(home, '.config/containers/registries.d'),
    'copy',
    ...HTTP,
    ...(all ? ['--all'] : []),
    '--remove-signatures',
    `docker://${host}/${name}:${tag}`,
    `dir:${temporaryFolder('out')}`,
  );
  const flags = ['--policy', 'containers', '--policy-file', file];
  const own = await regi(
    'copy',
    ...flags,
    ...(all ? [] : ['--platform', 'linux/amd64']),
    `${host}/${name}:${tag}`,
    `oci:${temporaryFolder('copy')}:1`,
  );
  // Anything but a refusal would be another failure.
  if (own.status !== 0) expect(own, own.stderr).toMatchObject({ status: 9 });
  if (finished.status !== 0)
    expect(finished.stderr).toMatch(/ignature|rejected|policy|Source image rejected/i);
  return { skopeo: finished.status === 0, regi: own.status === 0 };
}

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd: folder, home, env: { PATH: process.env['PATH'] } });
}

const signedBy = (keyPath: string, more: object = {}) => [
  { type: 'signedBy', keyType: 'GPGKeys', keyPath: join(folder, keyPath), ...more },
];
const sigstore = (keyPath: string, more: object = {}) => [
  { type: 'sigstoreSigned', keyPath: join(folder, keyPath), ...more },
];
const only =
  (requirements: () => readonly object[]): Policy =>
  () => ({ default: requirements() });
const identity = (type: string, more: object = {}) => ({ signedIdentity: { type, ...more } });

/** Verdicts that need no signature. */
const UNSIGNED: Readonly<Record<string, Verdict>> = {
  'accepts anything': { policy: only(() => ACCEPT), image: 'gpg:1', isAccepted: true },
  rejects: { policy: only(() => REJECT), image: 'gpg:1', isAccepted: false },
  'accepts anything, and rejects': {
    policy: only(() => [...ACCEPT, ...REJECT]),
    image: 'gpg:1',
    isAccepted: false,
  },
  'a scope of the repository': {
    policy: ({ name }) => ({ default: REJECT, transports: { docker: { [name]: ACCEPT } } }),
    image: 'gpg:1',
    isAccepted: true,
  },
  'a scope of the tag before that of the repository': {
    policy: ({ name }) => ({
      default: ACCEPT,
      transports: { docker: { [name]: ACCEPT, [`${name}:1`]: REJECT } },
    }),
    image: 'gpg:1',
    isAccepted: false,
  },
  'a scope that is the beginning of a word': {
    policy: ({ name }) => ({
      default: REJECT,
      transports: { docker: { [name.slice(0, -1)]: ACCEPT } },
    }),
    image: 'gpg:1',
    isAccepted: false,
  },
  'a star covers a host with a port': {
    policy: () => ({ default: REJECT, transports: { docker: { '*.0.0.1': ACCEPT } } }),
    image: 'gpg:1',
    isAccepted: true,
  },
  'the default of the transport': {
    policy: () => ({ default: REJECT, transports: { docker: { '': ACCEPT } } }),
    image: 'gpg:1',
    isAccepted: true,
  },
};

const GPG: Readonly<Record<string, Verdict>> = {
  'a GPG key': { policy: only(() => signedBy('good@test.gpg')), image: 'gpg:1', isAccepted: true },
  'an armored GPG key': {
    policy: only(() => signedBy('good@test.asc')),
    image: 'gpg:1',
    isAccepted: true,
  },
  'another GPG key': {
    policy: only(() => signedBy('other@test.gpg')),
    image: 'gpg:1',
    isAccepted: false,
  },
  'an unsigned image': {
    policy: only(() => signedBy('good@test.gpg')),
    image: 'unsigned:1',
    isAccepted: false,
  },
  'a signature for another tag': {
    policy: only(() => signedBy('good@test.gpg')),
    image: 'gpg:2',
    isAccepted: false,
  },
  'a signature for another tag of the repository': {
    policy: only(() => signedBy('good@test.gpg', identity('matchRepository'))),
    image: 'gpg:2',
    isAccepted: true,
  },
  'both keys, of which one has signed': {
    policy: only(() => [...signedBy('good@test.gpg'), ...signedBy('other@test.gpg')]),
    image: 'gpg:1',
    isAccepted: false,
  },
  'an exact reference': {
    policy: ({ name }) => ({
      default: signedBy(
        'good@test.gpg',
        identity('exactReference', { dockerReference: `${name}:1` }),
      ),
    }),
    image: 'gpg:2',
    isAccepted: true,
  },
  'another prefix': {
    policy: ({ name }) => ({
      default: signedBy(
        'good@test.gpg',
        identity('remapIdentity', { prefix: name.replace('gpg', 'moved'), signedPrefix: name }),
      ),
    }),
    image: 'gpg:1',
    isAccepted: true,
  },
  'an index whose images are signed': {
    policy: only(() => signedBy('good@test.gpg')),
    image: 'gpg-all:1',
    isAccepted: true,
    all: true,
  },
};

const SIGSTORE: Readonly<Record<string, Verdict>> = {
  'a sigstore key': { policy: only(() => sigstore('good.pub')), image: 'sig:1', isAccepted: true },
  'another sigstore key': {
    policy: only(() => sigstore('other.pub')),
    image: 'sig:1',
    isAccepted: false,
  },
  'one of two sigstore keys': {
    policy: only(() => [
      {
        type: 'sigstoreSigned',
        keyPaths: [join(folder, 'other.pub'), join(folder, 'good.pub')],
      },
    ]),
    image: 'sig:1',
    isAccepted: true,
  },
  'a sigstore signature for another tag': {
    policy: only(() => sigstore('good.pub')),
    image: 'sig:2',
    isAccepted: false,
  },
  'a sigstore signature for another repository': {
    policy: ({ name }) => ({
      default: sigstore(
        'good.pub',
        identity('exactRepository', { dockerRepository: name.replace('moved', 'sig') }),
      ),
    }),
    image: 'moved:1',
    isAccepted: true,
  },
  'sigstore attachments that are turned off': {
    policy: only(() => sigstore('good.pub')),
    image: 'off:1',
    isAccepted: false,
  },
  'a key of a log, of a signature without an entry': {
    policy: only(() => sigstore('good.pub', { rekorPublicKeyPath: join(folder, 'other.pub') })),
    image: 'sig:1',
    isAccepted: false,
  },
  'a GPG key and a sigstore key': {
    policy: only(() => [
      ...sigstore('good.pub', identity('matchRepository')),
      ...signedBy('good@test.gpg'),
    ]),
    image: 'sig:1',
    isAccepted: false,
  },
};

const copyWith =
  (skopeo: PeerClient) =>
  (tag: string, to: string, ...flags: readonly string[]) =>
    skopeo.run(
      '--registries.d',
      join(home, '.config/containers/registries.d'),
      'copy',
      ...HTTP,
      ...flags,
      `oci:${layout}:${tag}`,
      `docker://${host}/${to}`,
    );

describeReal('skopeo with GPG', ['skopeo', 'gpg', 'gpgv'], () => {
  let skopeo: PeerClient;

  beforeAll(async () => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, GNUPGHOME: gpg.home };
    const path = requireTool('skopeo');
    skopeo = {
      run: async (...args) => (await runOrThrow(path, args, { env })).trimEnd(),
      finish: (...args) => runProgram(path, args, { env }),
    };
    const copy = copyWith(skopeo);
    await copy('image', 'gpg:1', '--sign-by', 'good@test');
    await copy('image', 'gpg:2');
    // Of the same digest, so that the signature of gpg would hold.
    await copy('image', 'unsigned:1');
    await copy('index', 'gpg-all:1', '--all', '--sign-by', 'good@test');
  });

  test.each(Object.entries({ ...UNSIGNED, ...GPG }))(
    'its verdict is that of regi: %s',
    async (_, row) => {
      const { isAccepted } = row;
      expect(await verdicts(skopeo, row)).toEqual({ skopeo: isAccepted, regi: isAccepted });
    },
  );

  test('regi verifies what `skopeo standalone-sign` writes', async () => {
    const [manifest, signature] = [join(folder, 'manifest.json'), join(folder, 'signature')];
    writeFileSync(
      manifest,
      await skopeo.run('inspect', '--raw', '--tls-verify=false', `docker://${host}/gpg:2`),
    );
    const argv = ['standalone-sign', manifest, `${host}/alone:1`, 'good@test', '-o', signature];
    await skopeo.run(...argv);
    await copyWith(skopeo)('image', 'alone:1');
    const digest = (await skopeo.run('manifest-digest', manifest)).replace(':', '=');
    const to = join(folder, 'lookaside', `alone@${digest}`);
    mkdirSync(to, { recursive: true });
    writeFileSync(join(to, 'signature-1'), readFileSync(signature));
    const row = { policy: only(() => signedBy('good@test.gpg')), image: 'alone:1' };
    expect(await verdicts(skopeo, { ...row, isAccepted: true })).toEqual({
      skopeo: true,
      regi: true,
    });
  });
});

describePeer('skopeo with sigstore keys', 'sid', ['skopeo'], () => {
  let skopeo: PeerClient;

  beforeAll(async () => {
    skopeo = peerClient('sid', 'skopeo');
    const phrase = join(folder, 'phrase');
    writeFileSync(phrase, 'test');
    for (const name of ['good', 'other'])
      await skopeo.run(
        'generate-sigstore-key',
        '--output-prefix',
        join(folder, name),
        '--passphrase-file',
        phrase,
      );
    const copy = copyWith(skopeo);
    const key = join(folder, 'good.private');
    const signing = ['--sign-by-sigstore-private-key', key, '--sign-passphrase-file', phrase];
    await copy('image', 'sig:1', ...signing);
    await copy('image', 'sig:2');
    await copy('image', 'off:1');
    await regi('copy', '--referrers', `${host}/sig:1`, `${host}/moved:1`);
    await regi('copy', '--referrers', `${host}/sig:1`, `${host}/off:1`);
    await copy('index', 'sig-all:1', '--all', ...signing);
    await copy('index', 'sig-none:1', '--all');
  });

  test.each(Object.entries({ ...UNSIGNED, ...SIGSTORE }))(
    'its verdict is that of regi: %s',
    async (_, row) => {
      const image = row.image === 'gpg:1' ? 'sig:1' : row.image;
      const { isAccepted } = row;
      expect(await verdicts(skopeo, { ...row, image })).toEqual({
        skopeo: isAccepted,
        regi: isAccepted,
      });
    },
  );

  test('its verdict is that of regi: an index, by its images', async () => {
    const policy = only(() => sigstore('good.pub'));
    for (const [image, isAccepted] of [
      ['sig-all:1', true],
      ['sig-none:1', false],
    ] as const)
      for (const all of [true, false])
        expect(await verdicts(skopeo, { policy, image, all, isAccepted }), image).toEqual({
          skopeo: isAccepted,
          regi: isAccepted,
        });
  });
});
