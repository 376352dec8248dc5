import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import type { Digest } from '../../../src/oci/digest.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { makeImage } from '../../support/images/images.ts';
import {
  bundleManifest,
  makeBundle,
  makeSigner,
  makeSimplePayload,
  makeSimpleSigning,
  signatureTag,
  simpleManifest,
  type TestSignature,
} from '../../support/images/signatures.ts';
import { IDENTITY, ISSUER, makeSigstore, type SignOptions } from '../../support/trust/sigstore.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const signer = makeSigner();
const stranger = makeSigner();
const sigstore = makeSigstore();
const [image, other] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];

type Outcome = 'good' | 'none' | 'wrong digest' | 'wrong key';

interface Kind {
  readonly form: 'bundle' | 'simple-signing';
  /** Flags that accept its signer. */
  readonly flags: readonly string[];
  /** The same as a rule of a file of `regi sync`. */
  readonly rule: string;
  /** Who signed it, in the lines of `verify --signatures`. */
  readonly by: string;
  /** The step at which another signer is refused. */
  readonly step: string;
  /** The reason in that line. */
  readonly reason: string;
  readonly sign: (signed: Digest | undefined, isOurs: boolean) => TestSignature;
}

const KEY = {
  flags: ['--key', 'cosign.pub'],
  rule: '{key: cosign.pub}',
  by: 'cosign.pub',
  step: 'signature',
  reason: 'no key of the policy made its signature',
} as const;
const ROOT = ['--trusted-root', 'root.json'];
const KEYLESS = {
  flags: ['--identity', 'https://ci.example/team/*', '--issuer', ISSUER, ...ROOT],
  rule: `{keyless: {issuer: '${ISSUER}', identity: 'https://ci.example/team/*'}}`,
  by: IDENTITY,
  step: 'identity',
  reason: 'it is signed by "https://ci.example/teamevil/app"',
} as const;

function bundle(options: SignOptions): TestSignature {
  const signed = sigstore.signBundle(options.signed ?? image.root.digest, options);
  return bundleManifest(Buffer.from(JSON.stringify(signed)), image.root);
}

function identityOf(isOurs: boolean): SignOptions {
  return isOurs ? {} : { identity: 'https://ci.example/teamevil/app' };
}

/** The tag or digest of a candidate, shortened. */
const ORIGIN = /\bsha256(?::[0-9a-f]{12}…|-[0-9a-f]{12}…\.sig)(?= )/;
const PROVENANCE = 'https://slsa.dev/provenance/v1';
const REPOSITORY = '1.3.6.1.4.1.57264.1.5';

const KINDS: Readonly<Record<string, Kind>> = {
  'cosign 3, key': {
    ...KEY,
    form: 'bundle',
    sign: (signed, isOurs) => makeBundle(image.root, isOurs ? signer : stranger, { signed }),
  },
  'cosign 2, key': {
    ...KEY,
    form: 'simple-signing',
    sign: (signed, isOurs) => makeSimpleSigning(image.root, isOurs ? signer : stranger, { signed }),
  },
  'cosign 3, Rekor v1': {
    ...KEYLESS,
    form: 'bundle',
    sign: (signed, isOurs) => bundle({ signed, ...identityOf(isOurs) }),
  },
  'cosign 3, Rekor v2': {
    ...KEYLESS,
    form: 'bundle',
    sign: (signed, isOurs) => bundle({ signed, rekor: 'v2', ...identityOf(isOurs) }),
  },
  'cosign 2, Rekor v1': {
    ...KEYLESS,
    form: 'simple-signing',
    sign(signed, isOurs) {
      const payload = makeSimplePayload(signed ?? image.root.digest);
      return simpleManifest(payload, sigstore.signPayload(payload, identityOf(isOurs)));
    },
  },
  'attestation of GitHub': {
    form: 'bundle',
    flags: ['--verify', 'github.yaml', ...ROOT],
    rule: `{keyless: {issuer: '${ISSUER}', identity: 'https://ci.example/*', github: {repository: team/app}}, predicateTypes: ['${PROVENANCE}']}`,
    by: IDENTITY,
    step: 'identity',
    reason: 'its repository is "evil/app"',
    sign: (signed, isOurs) =>
      bundle({
        signed,
        predicateType: PROVENANCE,
        extensions: { [REPOSITORY]: isOurs ? 'team/app' : 'evil/app' },
      }),
  },
};

let source: FakeRegistry;
const cwd = temporaryFolder('trust');

/** Every image with its signature, in a repository of its own. */
beforeAll(async () => {
  source = await startFakeRegistry();
  writeFileSync(join(cwd, 'cosign.pub'), signer.pem);
  writeFileSync(join(cwd, 'root.json'), JSON.stringify(sigstore.root));
  // The destination decides for a file; all of them are on loopback.
  const github = KINDS['attestation of GitHub']?.rule ?? '';
  writeFileSync(join(cwd, 'github.yaml'), `version: 1\nscopes:\n  '*.0.0.1': ${github}\n`);
  for (const [name, { form, sign }] of Object.entries(KINDS)) {
    for (const outcome of ['good', 'none', 'wrong digest', 'wrong key'] as const) {
      const store = source.place.open(repositoryOf(name, outcome));
      await image.pushAll(store, '1');
      if (outcome === 'none') continue;
      const signature = sign(
        outcome === 'wrong digest' ? other.root.digest : undefined,
        outcome !== 'wrong key',
      );
      await signature.pushTo(store, form === 'bundle' ? undefined : signatureTag(image.root));
    }
  }
});

function repositoryOf(kind: string, outcome: Outcome): string {
  return `${kind}/${outcome}`.toLowerCase().replaceAll(/[ ,]+/g, '-');
}

interface Ran {
  readonly result: MainResult;
  /** The image that the command was to make, to look at with `verify --signatures`. */
  readonly made: string;
  readonly home?: string | undefined;
  /** Requests that write, at the destination. */
  readonly writes: number;
}

type Run = (from: string, name: string, kind: Kind) => Promise<Ran>;

const run = (argv: readonly string[], home?: string): Promise<MainResult> =>
  runMain(argv, { cwd, ...(home !== undefined && { home }) });

async function toRegistry(
  name: string,
  command: (destination: string) => Promise<MainResult>,
): Promise<Ran> {
  const registry = await startFakeRegistry();
  const result = await command(`${registry.host}/${name}`);
  const writes = registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)).length;
  return { result, made: `${registry.host}/${name}:1`, writes };
}

/** Brings an image with its signatures into a file, unverified: what another site may send. */
async function fileOf(from: string, kind: 'archive' | 'oci'): Promise<string> {
  const file = join(temporaryFolder('sent'), kind === 'oci' ? 'layout' : 'images.tar');
  const argv =
    kind === 'oci'
      ? ['copy', '--referrers', from, `oci:${file}:1`]
      : ['export', '--referrers', from, '-o', file];
  expect(await run(argv)).toMatchObject({ status: 0 });
  return file;
}

const COMMANDS: Readonly<Record<string, Run>> = {
  copy: (from, name, { flags }) =>
    toRegistry(name, (to) => run(['copy', ...flags, from, `${to}:1`])),
  push: (from, name, { flags }) =>
    toRegistry(name, async (to) =>
      run(['push', ...flags, `oci:${await fileOf(from, 'oci')}:1`, `${to}:1`]),
    ),
  async tag(from, _, { flags }) {
    source.forgetRequests();
    const to = from.replace(':1', '-tagged:1');
    const result = await run(['tag', ...flags, from, to]);
    const writes = source.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)).length;
    return { result, made: to, writes };
  },
  async pull(from, _, { flags }) {
    const home = temporaryFolder('home');
    const result = await run(['pull', ...flags, from], home);
    const { stdout } = await run(['images', '--quiet'], home);
    return { result, made: `local:${from}`, home, writes: stdout.length };
  },
  async export(from, _, { flags }) {
    const file = join(temporaryFolder('archive'), 'images.tar');
    const result = await run(['export', ...flags, from, '-o', file]);
    const isThere = await run(['verify', `archive:${file}`]);
    return { result, made: `archive:${file}`, writes: isThere.status === 0 ? 1 : 0 };
  },
  import: (from, name, { flags }) =>
    toRegistry(name, async (to) => {
      const prefix = to.slice(0, to.indexOf('/'));
      return run(['import', ...flags, await fileOf(from, 'archive'), prefix]);
    }),
  sync: (from, name, { rule }) =>
    toRegistry(name, async (to) => {
      const file = join(cwd, 'sync.yaml');
      writeFileSync(
        file,
        `version: 1\nimages:\n  - {from: '${from}', to: '${to}:1', verify: ours}\npolicies: {ours: ${rule}}\n`,
      );
      return run(['sync', ...(rule.includes('keyless') ? ROOT : []), file]);
    }),
};

describe.each(Object.keys(COMMANDS))('%s', (command) => {
  const attempt = async (
    name: string,
    outcome: Outcome,
  ): Promise<Ran & { readonly kind: Kind }> => {
    const repository = repositoryOf(name, outcome);
    const [kind, ran] = [KINDS[name], COMMANDS[command]];
    if (kind === undefined || ran === undefined) throw new Error('no such row');
    return { kind, ...(await ran(`${source.host}/${repository}:1`, repository, kind)) };
  };

  test.each(Object.keys(KINDS))('moves an image with its signature: %s', async (name) => {
    const { kind, result, made, home } = await attempt(name, 'good');
    expect(result, result.stderr).toMatchObject({ status: 0 });
    const as = made.startsWith('127.') ? [] : ['--as', `${source.host}/x`];
    const argv = ['verify', '--signatures', ...kind.flags, ...as, made];
    const { status, stderr, stdout } = await run(argv, home);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`@${image.root.digest}`);
    expect(stdout).toContain(kind.by);
  });

  test.each(
    Object.keys(KINDS).flatMap((name) =>
      (['wrong key', 'wrong digest', 'none'] as const).map((outcome) => [name, outcome] as const),
    ),
  )('refuses an image and writes nothing: %s, %s', async (name, outcome) => {
    const { kind, result, writes } = await attempt(name, outcome);
    expect(result, result.stderr).toMatchObject({ status: command === 'sync' ? 8 : 9, stdout: '' });
    const step = outcome === 'wrong key' ? kind.step : 'content';
    expect(result.stderr).toContain(outcome === 'none' ? 'it has no signature' : `step ${step})`);
    const reason = outcome === 'wrong key' ? kind.reason : 'it signs another image';
    const lines = result.stderr.split('\n').filter((line) => /^ +sha256[:-]/.test(line));
    expect(lines.map((line) => line.replace(ORIGIN, 'ORIGIN'))).toEqual(
      outcome === 'none' ? [] : [`  ORIGIN  ${kind.form}  ${step}  ${reason}`],
    );
    expect(writes).toBe(0);
  });
});
