import fc from 'fast-check';
import { stringify, parse } from 'yaml';
import { describe, expect, test } from 'vitest';

import { parseRepository, type Reference, type Repository } from '../../src/oci/reference.ts';
import { findInText, type FileFormat } from '../../src/refs/find-in-text.ts';
import { rewriteText, type Rewritten } from '../../src/refs/rewrite.ts';

const MIRROR = 'mirror.test:5000/hub';

function rename(reference: Reference): Repository | undefined {
  return reference.domain === 'mirror.test:5000'
    ? undefined
    : parseRepository(`${MIRROR}/${reference.path}`);
}

async function rewrite(
  text: string,
  path = 'a.yaml',
  format: FileFormat = 'yaml',
): Promise<Rewritten> {
  const result = await findInText(path, text, format);
  if (result.kind === 'unread') throw new Error(result.detail);
  return rewriteText(text, result.findings, { rename, guesses: false });
}

const word = fc.constantFrom('app', 'web', 'db', 'tools', 'x1');
const image = fc
  .tuple(
    fc.constantFrom('', 'quay.io/acme/', 'r.test:5000/team/', 'ghcr.io/'),
    word,
    fc.constantFrom('', ':1', ':v1.2.3', `@sha256:${'a'.repeat(64)}`),
  )
  .map((parts) => parts.join(''));
const scalar = fc.oneof(
  word,
  fc.integer(),
  fc.boolean(),
  fc.constantFrom('a: b', '# no', 'é€', 'nginx:1'),
);

const pod = fc
  .record({
    name: word,
    images: fc.array(image, { minLength: 1, maxLength: 4 }),
    labels: fc.dictionary(word, scalar, { maxKeys: 4 }),
    args: fc.array(scalar, { maxLength: 3 }),
  })
  .map(({ name, images, labels, args }) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      containers: images.map((one, at) => ({ name: `c${at}`, image: one, args: args.map(String) })),
    },
  }));

const style = fc.record({
  defaultStringType: fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE'),
  collectionStyle: fc.constantFrom('any', 'block', 'flow'),
  indent: fc.constantFrom(2, 4),
  // Folded text is reported and left alone: a case of its own.
  lineWidth: fc.constant(0),
});

describe('rewriteText()', () => {
  test('changes the references of any pod and nothing else, and only once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(pod, { minLength: 1, maxLength: 3 }),
        style,
        fc.boolean(),
        async (pods, options, crlf) => {
          const lines = pods.map((one) => stringify(one, options)).join('---\n');
          const text = crlf ? lines.replaceAll('\n', '\r\n') : lines;
          const { text: after, kept } = await rewrite(text);
          expect(kept).toEqual([]);
          const documents = after.split(/^---\r?\n/m).map((document) => parse(document) as unknown);
          expect(documents).toEqual(pods.map(mirrored));
          expect((await rewrite(after)).text).toBe(after);
        },
      ),
    );
  });

  test('replaces bytes inside the spans of references alone', async () => {
    await fc.assert(
      fc.asyncProperty(pod, async (one) => {
        const text = stringify(one);
        const result = await findInText('a.yaml', text, 'yaml');
        if (result.kind === 'unread') return;
        const { text: after } = rewriteText(text, result.findings, { rename, guesses: false });
        let rest = after;
        let at = 0;
        for (const { edit } of result.findings.found) {
          if ('fixed' in edit) continue;
          const untouched = text.slice(at, edit.name.start);
          expect(rest.startsWith(untouched)).toBe(true);
          const next = text.slice(edit.name.end, edit.name.end + 3);
          rest = rest.slice(rest.indexOf(next, untouched.length));
          at = edit.name.end;
        }
        expect(rest).toBe(text.slice(at));
      }),
    );
  });

  test.each([
    [
      'an alias used twice',
      'services:\n  a: { image: &i nginx:1 }\n  b: { image: *i }\n',
      'compose.yaml',
    ],
    ['a literal block', 'services:\n  a:\n    image: |-\n      nginx:1\n', 'compose.yaml'],
    ['a folded block', 'services:\n  a:\n    image: >-\n      nginx:1\n', 'compose.yaml'],
    ['JSON', '{"services": {"a": {"image": "nginx:1"}}}', 'compose.json'],
    ['flow', '{services: {a: {image: nginx:1}}}\n', 'compose.yaml'],
    ['CRLF', 'services:\r\n  a:\r\n    image: nginx:1\r\n', 'compose.yaml'],
    ['a byte order mark', '\uFEFFservices:\n  a:\n    image: nginx:1\n', 'compose.yaml'],
    ['no last newline', 'services:\n  a:\n    image: nginx:1', 'compose.yaml'],
    [
      'many documents',
      'services:\n  a:\n    image: nginx:1\n---\nservices:\n  a:\n    image: b:2\n',
      'compose.yaml',
    ],
    ['single quotes', "services: { a: { image: 'nginx:1' } }\n", 'compose.yaml'],
  ])('keeps every other byte: %s', async (_, text, path) => {
    const { text: after, kept } = await rewrite(text, path);
    expect(kept).toEqual([]);
    expect(after).toBe(
      text
        .replaceAll(/(["' ])nginx:1/g, `$1${MIRROR}/library/nginx:1`)
        .replaceAll(' b:2', ` ${MIRROR}/library/b:2`),
    );
  });

  test('rewrites stages, syntax and build arguments of a Dockerfile', async () => {
    const text =
      '# syntax=docker/dockerfile:1\nARG BASE=debian:12\nARG V=20\nFROM $BASE AS a\nFROM node:${V}\n' +
      'COPY --from=busybox:1 /a /b\nCOPY --from=a /a /b\n';
    const { text: after } = await rewrite(text, 'Dockerfile', 'dockerfile');
    expect(after).toBe(
      `# syntax=${MIRROR}/docker/dockerfile:1\nARG BASE=${MIRROR}/library/debian:12\nARG V=20\n` +
        `FROM $BASE AS a\nFROM ${MIRROR}/library/node:\${V}\nCOPY --from=${MIRROR}/library/busybox:1 /a /b\n` +
        'COPY --from=a /a /b\n',
    );
  });

  test('rewrites the name in a default that holds another argument', async () => {
    const text = 'ARG V=1\nARG BASE=quay.io/acme/base:${V}\nFROM $BASE\n';
    const { text: after, kept } = await rewrite(text, 'Dockerfile', 'dockerfile');
    expect(kept).toEqual([]);
    expect(after).toBe(text.replace('quay.io/acme', `${MIRROR}/acme`));
  });

  test('leaves images alone that global.imageRegistry moves when the chart is rendered', async () => {
    const text =
      'global: { imageRegistry: r.test }\na: { image: { repository: acme/a, tag: "1" } }\nb: { image: quay.io/acme/b:1 }\n';
    const { text: after, kept } = await rewrite(text, 'values.yaml');
    expect(kept.map(({ reason }) => reason)).toEqual([
      'global.imageRegistry replaces its registry: change that',
    ]);
    expect(after).toBe(text.replace('quay.io/acme', `${MIRROR}/acme`));
  });

  test('leaves a selector of kustomize alone, and changes a newName', async () => {
    const text =
      'images:\n  - { name: nginx, newTag: "1" }\n  - { name: app, newName: quay.io/a/app, newTag: "2" }\n';
    const { text: after, kept } = await rewrite(text, 'kustomization.yaml');
    expect(kept.map(({ reason }) => reason)).toEqual([
      'the name selects images of the bases: add a newName',
    ]);
    expect(after).toBe(text.replace('quay.io/a/app', `${MIRROR}/a/app`));
  });
});

interface Pod {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

function mirrored(one: Pod): Pod {
  const { spec } = one;
  return {
    ...one,
    spec: {
      containers: spec.containers.map((container) => ({
        ...container,
        image: mirroredName(container.image),
      })),
    },
  };
}

/** Written apart from the code under test: the registry goes, docker's own names get `library/`. */
function mirroredName(name: string): string {
  const bare = name.replace(/^(?:quay\.io|r\.test:5000|ghcr\.io)\//, '');
  return `${MIRROR}/${bare === name ? 'library/' : ''}${bare}`;
}
