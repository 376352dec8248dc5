import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import type { Store } from '../../../src/store.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import {
  makeBundle,
  makeSigner,
  makeSimpleSigning,
  signatureTag,
} from '../../support/images/signatures.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [signer, stranger] = [makeSigner(), makeSigner()];
const [good, bad] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
const index = makeIndex({ seed: 5 });
const KEY = ['--key', 'cosign.pub'];

let cwd: string;
let layout: Store;

beforeEach(async () => {
  cwd = temporaryFolder('serve');
  writeFileSync(join(cwd, 'cosign.pub'), signer.pem);
  layout = await openLayout(join(cwd, 'app'), { create: true });
  await good.pushAll(layout, 'good');
  await bad.pushAll(layout, 'bad');
  await index.pushAll(layout, 'index');
});

type Ask = (reference: string, method?: string) => Promise<number>;

/** Runs it until it listens, asks it for manifests, and stops it. Returns standard error. */
async function served(flags: readonly string[], ask: (ask: Ask) => Promise<void>): Promise<string> {
  const controller = new AbortController();
  const io = fakeIo({ cwd, signal: controller.signal });
  let asked = Promise.resolve();
  const stderr = {
    ...io.stderr,
    write: async (chunk: string | Uint8Array) => {
      await io.stderr.write(chunk);
      const url = /listening on (\S+)/.exec(chunk.toString())?.[1];
      if (url === undefined) return;
      asked = ask(async (reference, method = 'GET') => {
        const response = await fetch(`${url}/v2/app/manifests/${reference}`, { method });
        const body = await response.text();
        if (response.status === 403 && method === 'GET')
          expect(JSON.parse(body)).toEqual({
            errors: [
              {
                code: 'DENIED',
                message:
                  'Cannot serve the manifest: the signature policy of this registry refuses it',
              },
            ],
          });
        return response.status;
      }).finally(() => controller.abort(new Error('stop')));
    },
  };
  const argv = ['serve', '--listen', '127.0.0.1:0', 'oci:app', '--read-only', ...flags];
  expect(await main(argv, { ...io, stderr }), io.stderrText()).toBe(0);
  await asked;
  return io.stderrText();
}

describe('regi serve --verify', () => {
  test('serves a signed image and its signatures, and denies another, by GET and HEAD alike', async () => {
    await makeSimpleSigning(good.root, signer).pushTo(layout, signatureTag(good.root));
    const foreign = makeBundle(bad.root, stranger);
    await foreign.pushTo(layout);
    const log = await served(KEY, async (ask) => {
      for (const method of ['GET', 'HEAD']) {
        const status = async (reference: string): Promise<number> => ask(reference, method);
        expect(await status('good')).toBe(200);
        expect(await status(good.root.digest)).toBe(200);
        expect(await status(signatureTag(good.root))).toBe(200);
        expect(await status('bad')).toBe(403);
        expect(await status(bad.root.digest)).toBe(403);
        // A signature runs nowhere, and a client may want to look at it.
        expect(await status(foreign.root.digest)).toBe(200);
        expect(await status('absent')).toBe(404);
      }
    });
    expect(log).toContain(
      `@${bad.root.digest}: step signature: no key of the policy made its signature`,
    );
  });

  test('serves the images of a signed index, asked for first or after it', async () => {
    const children = index.images.map(({ root }) => root.digest);
    const all = async (ask: Ask): Promise<readonly number[]> => {
      const found: number[] = [];
      for (const reference of [...children, 'index', index.root.digest, ...children])
        found.push(await ask(reference));
      return found;
    };
    await served(KEY, async (ask) => {
      expect(new Set(await all(ask))).toEqual(new Set([403]));
    });
    await makeBundle(index.root, signer).pushTo(layout);
    await served(KEY, async (ask) => {
      expect(new Set(await all(ask))).toEqual(new Set([200]));
      expect(await ask('bad')).toBe(403);
    });
  });

  test('an image of a signed index vouches for no other', async () => {
    const [first, second] = index.images;
    if (first === undefined || second === undefined) throw new Error('The index has two images');
    await makeBundle(first.root, signer).pushTo(layout);
    await served(KEY, async (ask) => {
      expect(await ask(first.root.digest)).toBe(200);
      expect(await ask(second.root.digest)).toBe(403);
      expect(await ask('index')).toBe(403);
    });
  });

  test('the names of the place open no scope that needs no signature', async () => {
    writeFileSync(
      join(cwd, 'policy.yaml'),
      'version: 1\nscopes:\n  docker.io: { insecureAccept: true }\n',
    );
    const log = await served(['--verify', 'policy.yaml'], async (ask) => {
      expect(await ask('good')).toBe(403);
    });
    expect(log).toContain('only the place says that it is of the scope docker.io');
  });

  test('an image that no scope covers is denied', async () => {
    await makeBundle(good.root, signer).pushTo(layout);
    const scopes = 'version: 1\nscopes:\n  r.example: { key: cosign.pub }\n';
    writeFileSync(join(cwd, 'policy.yaml'), scopes);
    await served(['--verify', 'policy.yaml'], async (ask) => {
      expect(await ask('good')).toBe(403);
    });
  });

  test.each([
    [['serve', ...KEY, 'oci:app'], 'expected --read-only'],
    [['serve', ...KEY, '--memory'], 'expected --read-only'],
    [['serve', '--read-only', '--key', 'none.pub', 'oci:app'], 'there is no such file'],
  ])('refuses %s', async (argv, text) => {
    const result = await runMain([...argv, '--listen', '127.0.0.1:0'], { cwd });
    expect(result).toMatchObject({ status: 2 });
    expect(result.stderr).toContain(text);
  });
});
