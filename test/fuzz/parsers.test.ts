import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseChallenges, selectChallenge } from '../../src/auth/challenge.ts';
import { parseToken } from '../../src/auth/token.ts';
import { parseLocation } from '../../src/targets/location.ts';
import { parseRegistriesConf } from '../../src/configuration/registries-conf.ts';
import { findAuthEntry, parseDockerConfig } from '../../src/credentials/docker/config.ts';
import { RegiError } from '../../src/errors.ts';
import { parseImageConfig } from '../../src/oci/image-config.ts';
import { childrenOf, manifestTypeOf, parseManifest } from '../../src/oci/manifest.ts';
import { formatReference, parseReference } from '../../src/oci/reference.ts';
import { parseContentRange } from '../../src/registry/blob-body.ts';
import { nextPage, parseLinkHeader } from '../../src/registry/link-header.ts';
import { describeProblems, parseProblems } from '../../src/registry/problems.ts';
import { parseWarnings } from '../../src/registry/warnings.ts';
import { parseRange } from '../../src/server/blobs.ts';
import { parseChunkRange } from '../../src/server/upload-chunk.ts';
import { parseHeader } from '../../src/tar/header.ts';
import { indexTar } from '../../src/tar/index-tar.ts';
import { parsePax } from '../../src/tar/pax.ts';
import { inMemory } from '../support/images/tar-builder.ts';

interface Parser {
  /** File of `test/corpus`. */
  readonly corpus: string;
  /** How an entry of the corpus is written there; text when absent. */
  readonly encoding?: 'base64';
  /** Reads one input as the product does. May throw a RegiError, and nothing else. */
  readonly read: (input: Buffer) => unknown;
}

const asText =
  (parse: (text: string) => unknown) =>
  (input: Buffer): unknown =>
    parse(input.toString('utf8'));

const PARSERS: readonly Parser[] = [
  { corpus: 'reference', read: asText((text) => formatReference(parseReference(text))) },
  { corpus: 'reference', read: asText(parseLocation) },
  { corpus: 'challenge', read: asText((text) => selectChallenge(parseChallenges(text))) },
  { corpus: 'challenge', read: asText(parseWarnings) },
  {
    corpus: 'link',
    read: asText((text) => [
      parseLinkHeader(text),
      nextPage(new URL('https://registry.example/v2/app/tags/list'), text),
    ]),
  },
  {
    corpus: 'range',
    read: asText((text) => [
      parseContentRange(text),
      parseRange(text, 1000),
      parseChunkRange(text),
    ]),
  },
  {
    corpus: 'manifest',
    read: (bytes) => [manifestTypeOf(bytes), childrenOf(parseManifest(bytes, undefined))],
  },
  { corpus: 'manifest', read: (bytes) => parseImageConfig(bytes) },
  { corpus: 'token-answer', read: (bytes) => parseToken(bytes, 0) },
  { corpus: 'error-body', read: asText((text) => describeProblems(parseProblems(text))) },
  {
    corpus: 'docker-config',
    read: asText((text) =>
      findAuthEntry(parseDockerConfig(text, 'config.json'), 'registry.example'),
    ),
  },
  { corpus: 'docker-config', read: asText((text) => parseDockerConfig(text, '.dockercfg', true)) },
  {
    corpus: 'registries-conf',
    read: asText((text) => parseRegistriesConf(text, 'registries.conf')),
  },
  {
    corpus: 'tar-header',
    encoding: 'base64',
    read: (bytes) => [parseHeader(blockOf(bytes)), parsePax(bytes.subarray(512))],
  },
  { corpus: 'tar-header', encoding: 'base64', read: (bytes) => indexTar(inMemory(bytes)) },
];

/**
 * Nothing that a person types or a peer sends may take longer, on a machine that is slow and busy
 * with something else.
 */
const LONGEST_MS = 60_000;
const LONG_BYTES = 256 * 1024;

/** Characters that one of the grammars gives a meaning. */
const TOKENS = [
  '"',
  '\\',
  ',',
  ';',
  '=',
  ':',
  '/',
  '@',
  '<',
  '>',
  '[',
  ']',
  '{',
  '}',
  '-',
  '.',
  '%00',
  '\0',
  '\r\n',
  '\u001b',
  '\u202e',
  '\ud800',
  '0',
  '9'.repeat(20),
  'sha256:',
  '__proto__',
  'null',
  '-1',
  '1e999',
];

type Edit =
  | { readonly kind: 'delete'; readonly at: number; readonly count: number }
  | { readonly kind: 'insert'; readonly at: number; readonly text: string }
  | { readonly kind: 'byte'; readonly at: number; readonly value: number }
  | {
      readonly kind: 'repeat';
      readonly at: number;
      readonly count: number;
      readonly times: number;
    };

const POSITION = fc.double({ min: 0, max: 1, noNaN: true });

const EDIT: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({
    kind: fc.constant('delete' as const),
    at: POSITION,
    count: fc.integer({ min: 1, max: 12 }),
  }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: POSITION,
    text: fc.constantFrom(...TOKENS),
  }),
  fc.record({ kind: fc.constant('byte' as const), at: POSITION, value: fc.nat(255) }),
  fc.record({
    kind: fc.constant('repeat' as const),
    at: POSITION,
    count: fc.integer({ min: 1, max: 20 }),
    times: fc.integer({ min: 2, max: 40 }),
  }),
);

describe.each(PARSERS.map((parser, index) => ({ ...parser, index })))(
  'parser $index, on variations of $corpus',
  ({ corpus, encoding, read }) => {
    const entries = corpusOf(corpus, encoding);

    test('reads or refuses all of the corpus', async () => {
      for (const entry of entries) await readOrRefuse(read, entry);
    });

    test('reads or refuses all variations', async () => {
      const input = fc
        .tuple(fc.constantFrom(...entries), fc.array(EDIT, { minLength: 1, maxLength: 6 }))
        .map(([entry, edits]) => edits.reduce(edited, entry));
      await fc.assert(
        fc.asyncProperty(input, (bytes) => readOrRefuse(read, bytes)),
        { numRuns: 300 },
      );
    });

    test('reads or refuses any bytes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), (bytes) =>
          readOrRefuse(read, Buffer.from(bytes)),
        ),
        { numRuns: 100 },
      );
    });

    test('parses long input in bounded time', async () => {
      for (const entry of [...entries.slice(0, 8), ...TOKENS.map((token) => Buffer.from(token))]) {
        if (entry.byteLength === 0) continue;
        const long = Buffer.concat(
          Array.from({ length: Math.ceil(LONG_BYTES / entry.byteLength) }, () => entry),
        );
        const begun = performance.now();
        await readOrRefuse(read, long);
        expect(
          performance.now() - begun,
          JSON.stringify(entry.toString().slice(0, 40)),
        ).toBeLessThan(LONGEST_MS);
      }
    });
  },
);

async function readOrRefuse(read: Parser['read'], input: Buffer): Promise<void> {
  try {
    await read(input);
  } catch (error) {
    if (!(error instanceof RegiError)) throw error;
    // A message is one line of what was wrong, and no copy of the input.
    expect(error.message.length).toBeLessThan(8000);
  }
}

function edited(bytes: Buffer, edit: Edit): Buffer {
  const at = Math.floor(edit.at * bytes.byteLength);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (edit.kind) {
    case 'delete':
      return Buffer.concat([head, tail.subarray(edit.count)]);
    case 'insert':
      return Buffer.concat([head, Buffer.from(edit.text), tail]);
    case 'byte':
      return Buffer.concat([head, Buffer.from([edit.value]), tail.subarray(1)]);
    case 'repeat':
      return Buffer.concat([
        head,
        ...Array.from({ length: edit.times }, () => tail.subarray(0, edit.count)),
        tail,
      ]);
  }
}

function blockOf(bytes: Buffer): Uint8Array {
  return Buffer.concat([bytes.subarray(0, 512), Buffer.alloc(Math.max(0, 512 - bytes.byteLength))]);
}

function corpusOf(name: string, encoding: 'base64' | 'utf8' = 'utf8'): readonly Buffer[] {
  const path = fileURLToPath(new URL(`../corpus/${name}.json`, import.meta.url));
  return (JSON.parse(readFileSync(path, 'utf8')) as readonly string[]).map((text) =>
    Buffer.from(text, encoding),
  );
}
