import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import type { Io } from '../../src/io.ts';
import { main } from '../../src/main.ts';
import { fakeIo, type FakeIo } from '../support/cli/io.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { makeImage, makeIndex } from '../support/images/images.ts';
import { localImages, type LocalImages } from '../support/images/local-images.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * The rows of the first table of docs/migrating.md: a command line of another tool, and what regi
 * makes of it.
 */
const ROWS = [
  ...(
    readFileSync(new URL('../../docs/migrating.md', import.meta.url), 'utf8')
      .split('## As typed')[1]
      ?.split('## docker')[0] ?? ''
  ).matchAll(/^\| `(?<line>[a-z].*?)`\s+\| (?:works|`(?<hint>.*)`)\s+\|$/gm),
].map(({ groups }) => ({ line: groups?.['line'] ?? '', hint: groups?.['hint'] }));

const IMAGE = makeImage({ seed: 1 });
const INDEX = makeIndex({ seed: 2 });

let registries: Readonly<Record<string, FakeRegistry>>;
let local: LocalImages;
let cwd: string;

beforeAll(async () => {
  const users = { ada: 'secret' };
  registries = {
    registry: await startFakeRegistry(),
    private: await startFakeRegistry({ auth: { kind: 'basic', users } }),
    secure: await startFakeRegistry({ tls: makeCertificates({ hosts: ['127.0.0.1'] }) }),
  };
  for (const registry of Object.values(registries)) {
    await IMAGE.pushAll(registry.place.open('app'), '1');
    await INDEX.pushAll(registry.place.open('multi'), '1');
  }
});

beforeEach(async () => {
  registries = { ...registries, mirror: await startFakeRegistry() };
  local = localImages();
  cwd = temporaryFolder('typed');
  await local.keep(IMAGE, 'app:1');
  await local.keep(IMAGE, hosted('registry.example/app:1'));
  writeFileSync(join(cwd, 'sbom.json'), '{}');
  const saved = await run(['copy', 'local:app:1', 'docker-archive:app.tar:app:1']);
  expect(saved.status).toBe(0);
});

afterAll(() => Promise.all(Object.values(registries).map((registry) => registry.stop())));

describe('the table of docs/migrating.md', () => {
  test('has sixty command lines, of which at least 45 work as typed', () => {
    expect(ROWS).toHaveLength(60);
    expect(ROWS.filter(({ hint }) => hint === undefined).length).toBeGreaterThanOrEqual(45);
    expect(new Set(ROWS.map(({ line }) => line)).size).toBe(60);
  });

  test.each(ROWS)('$line', async ({ line, hint }) => {
    const { words, input } = commandOf(hosted(line));
    const { status, io } = await run(words, input);
    if (hint === undefined) {
      expect({ status, stderr: status === 0 ? '' : io.stderrText() }).toEqual({
        status: 0,
        stderr: '',
      });
      return;
    }
    expect(status).toBeGreaterThan(0);
    expect(io.stderrText()).toContain(hosted(hint));
    expect(io.stderrText()).not.toContain('secret');
  });
});

/** Puts the addresses of the test's registries in place of their names. */
function hosted(text: string): string {
  return text.replace(/(\w+)\.example/g, (name, word: string) => registries[word]?.host ?? name);
}

/**
 * Parses a command line of a shell: quotes, and standard input from a file. Output is kept in
 * memory.
 */
function commandOf(line: string): { words: readonly string[]; input: string | undefined } {
  const [command = '', input] = line.replace(/ > \S+$/, '').split(' < ');
  const words = command.match(/'[^']*'|\S+/g)?.map((word) => word.replaceAll("'", '')) ?? [];
  return { words: words.slice(1), input };
}

async function run(
  words: readonly string[],
  input?: string,
): Promise<{ readonly status: number; readonly io: FakeIo }> {
  const io = fakeIo({
    cwd,
    home: temporaryFolder('home'),
    stdin: 'secret\n',
    env: { REGI_DATA: local.folder },
  });
  const file = input === undefined ? undefined : readFileSync(join(cwd, input));
  const stdin: Io['stdin'] =
    file === undefined ? io.stdin : { ...io.stdin, bytes: () => bytesOf(file) };
  return { status: await main(words, { ...io, stdin }), io };
}
