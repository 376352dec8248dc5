import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { makeImage } from '../../support/images/images.ts';
import {
  makeBundle,
  makeSigner,
  makeSimpleSigning,
  signatureTag,
} from '../../support/images/signatures.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const signer = makeSigner();
const stranger = makeSigner();
const [image, other] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];

const KINDS = {
  'cosign 3': makeBundle,
  'cosign 2': makeSimpleSigning,
} as const;

type Kind = keyof typeof KINDS;
type Outcome = 'good' | 'none' | 'wrong digest' | 'wrong key';

let source: FakeRegistry;
const cwd = temporaryFolder('trust');

/** Every image with its signature, in a repository of its own. */
beforeAll(async () => {
  source = await startFakeRegistry();
  writeFileSync(join(cwd, 'cosign.pub'), signer.pem);
  for (const kind of Object.keys(KINDS) as Kind[]) {
    for (const outcome of ['good', 'none', 'wrong digest', 'wrong key'] as const) {
      const store = source.place.open(repositoryOf(kind, outcome));
      await image.pushAll(store, '1');
      if (outcome === 'none') continue;
      const signature = KINDS[kind](image.root, outcome === 'wrong key' ? stranger : signer, {
        signed: outcome === 'wrong digest' ? other.root.digest : undefined,
      });
      await signature.pushTo(store, kind === 'cosign 2' ? signatureTag(image.root) : undefined);
    }
  }
});

function repositoryOf(kind: Kind, outcome: Outcome): string {
  return `${kind}/${outcome}`.replaceAll(' ', '-');
}

interface Ran {
  readonly result: MainResult;
  /** The image that the command was to make, to look at with `verify --signatures`. */
  readonly made: string;
  readonly home?: string | undefined;
  /** Requests that write, at the destination. */
  readonly writes: number;
}

type Run = (from: string, name: string) => Promise<Ran>;

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

const KEY = ['--key', 'cosign.pub'];

const COMMANDS: Readonly<Record<string, Run>> = {
  copy: (from, name) => toRegistry(name, (to) => run(['copy', ...KEY, from, `${to}:1`])),
  push: (from, name) =>
    toRegistry(name, async (to) =>
      run(['push', ...KEY, `oci:${await fileOf(from, 'oci')}:1`, `${to}:1`]),
    ),
  async tag(from) {
    source.forgetRequests();
    const to = from.replace(':1', '-tagged:1');
    const result = await run(['tag', ...KEY, from, to]);
    const writes = source.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)).length;
    return { result, made: to, writes };
  },
  async pull(from) {
    const home = temporaryFolder('home');
    const result = await run(['pull', ...KEY, from], home);
    const { stdout } = await run(['images', '--quiet'], home);
    return { result, made: `local:${from}`, home, writes: stdout.length };
  },
  async export(from) {
    const file = join(temporaryFolder('archive'), 'images.tar');
    const result = await run(['export', ...KEY, from, '-o', file]);
    const isThere = await run(['verify', `archive:${file}`]);
    return { result, made: `archive:${file}`, writes: isThere.status === 0 ? 1 : 0 };
  },
  import: (from, name) =>
    toRegistry(name, async (to) => {
      const prefix = to.slice(0, to.indexOf('/'));
      return run(['import', ...KEY, await fileOf(from, 'archive'), prefix]);
    }),
  sync: (from, name) =>
    toRegistry(name, async (to) => {
      const file = join(cwd, 'sync.yaml');
      writeFileSync(
        file,
        `version: 1\nimages:\n  - {from: '${from}', to: '${to}:1', verify: ours}\npolicies: {ours: {key: cosign.pub}}\n`,
      );
      return run(['sync', file]);
    }),
};

describe.each(Object.keys(COMMANDS))('%s', (command) => {
  const attempt = async (kind: Kind, outcome: Outcome): Promise<Ran> => {
    const name = repositoryOf(kind, outcome);
    const ran = COMMANDS[command]?.(`${source.host}/${name}:1`, name);
    if (ran === undefined) throw new Error('no such command');
    return ran;
  };

  test.each(Object.keys(KINDS) as Kind[])('moves a %s image with its signature', async (kind) => {
    const { result, made, home } = await attempt(kind, 'good');
    expect(result, result.stderr).toMatchObject({ status: 0 });
    const { status, stderr, stdout } = await run(['verify', '--signatures', ...KEY, made], home);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`@${image.root.digest}`);
    expect(stdout).toContain('cosign.pub');
  });

  test.each(
    (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
      (
        [
          ['wrong key', 'signature', 'no key of the policy made its signature'],
          ['wrong digest', 'content', 'it signs another image'],
          ['none', 'collect', undefined],
        ] as const
      ).map(([outcome, step, reason]) => [kind, outcome, step, reason] as const),
    ),
  )('refuses a %s image with %s at %s', async (kind, outcome, step, reason) => {
    const { result, writes } = await attempt(kind, outcome);
    expect(result, result.stderr).toMatchObject({ status: command === 'sync' ? 8 : 9, stdout: '' });
    expect(result.stderr).toContain(
      reason === undefined
        ? 'it has no signature'
        : `(scope ${command === 'sync' ? 'ours' : 'all'}, step ${step})`,
    );
    // A line for the candidate.
    if (reason !== undefined)
      expect(result.stderr).toMatch(
        new RegExp(
          `^  sha256\\S+ +${kind === 'cosign 3' ? 'bundle' : 'simple-signing'} +${step} +${reason}$`,
          'm',
        ),
      );
    expect(writes).toBe(0);
  });
});
