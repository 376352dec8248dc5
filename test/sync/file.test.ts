import { describe, expect, test } from 'vitest';

import type { SyncFile } from '../../src/sync/file/entry.ts';
import { parseSyncFile } from '../../src/sync/file/file.ts';

const ENV = { TEAM: 'acme', EMPTY: '' };

async function parse(images: string, top = ''): Promise<SyncFile> {
  return parseSyncFile(`version: 1\n${top}images:\n${images}\n`, {
    name: 'mirror.yaml',
    env: ENV,
    host: { os: 'linux', architecture: 'amd64' },
  });
}

describe('parseSyncFile()', () => {
  test('fills in defaults; a field of an entry replaces the whole default', async () => {
    const { entries } = await parse(
      '  - { from: docker.io/library/debian, to: r.test/debian, prune: { old: true } }',
      'defaults: { referrers: always, prune: { keep: [a] } }\n',
    );
    expect(entries[0]).toMatchObject({
      name: 'r.test/debian',
      referrers: 'always',
      moved: 'follow',
      prune: { gone: true, old: true, keep: [], viaDummy: false },
      from: { kind: 'repository', repository: { domain: 'docker.io', path: 'library/debian' } },
    });
  });

  test.each([
    ['docker.io/library/redis:7.2', { kind: 'image' }],
    [
      'quay.io/acme/**',
      { kind: 'wildcard', wildcard: { domain: 'quay.io', prefix: 'acme', depth: 'all' } },
    ],
    ['quay.io/acme/*', { kind: 'wildcard', wildcard: { prefix: 'acme', depth: 'one' } }],
    ['r.test:5000/**', { kind: 'wildcard', wildcard: { domain: 'r.test:5000', prefix: '' } }],
    ['archive:/media/stick/app.tar', { kind: 'place' }],
    ["'r.test/${TEAM}/app'", { kind: 'repository', repository: { path: 'acme/app' } }],
  ])('reads the source %s', async (from, source) => {
    const to = from.includes('*') ? 'other.test/{rest}' : 'other.test/app';
    const { entries } = await parse(`  - { from: ${from}, to: '${to}' }`);
    expect(entries[0]?.from).toMatchObject(source);
  });

  test.each([
    [
      '{ from: mirror/x, to: r.test/x }',
      '3:13: expected a name with its registry, found "mirror/x"',
    ],
    ['{ from: r.test/x, to: x }', '3:27: expected a name with its registry, found "x"'],
    ['{ from: r.test/a/**, to: "r.test/a/copy/{rest}" }', '3:30: expected a place outside'],
    ['{ from: r.test/a/**, to: q.test/all }', '3:30: expected {rest} in it'],
    ['{ from: r.test/a, to: "q.test/{what}" }', '3:27: unknown placeholder {what}'],
    ['{ from: r.test/*/a, to: q.test/a }', '3:13: expected stars at the end only'],
    ['{ from: r.test/a, to: q.test/a, tags: [">2 <1"] }', '3:44: expected versions that exist'],
    ['{ from: r.test/a, to: q.test/a, tags: ["a b!"] }', '3:44: '],
    [
      '{ from: r.test/a, to: q.test/a, tags: ["${NONE}"] }',
      '3:44: expected a value for ${NONE}, found no such variable',
    ],
    [
      '{ from: "r.test/${EMPTY}", to: q.test/a }',
      '3:13: expected a value for ${EMPTY}, found an empty one',
    ],
    ['{ from: r.test/a, to: q.test/a, platforms: [no/such/thing/x] }', '3:49: '],
    [
      '{ from: r.test/a, to: q.test/a, rename: { match: "(", to: b } }',
      '3:54: expected another pattern',
    ],
    [
      '{ from: r.test/a:1, to: q.test/a }\n  - { from: r.test/b:1, to: q.test/a }',
      '4:29: expected one source for "q.test/a:1"',
    ],
    [
      '{ name: n, from: r.test/a, to: q.test/a }\n  - { name: n, from: r.test/b, to: q.test/b }',
      '4:13: expected each name once',
    ],
    [
      '{ from: r.test/a, to: q.test/a, prune: true }\n  - { from: r.test/b, to: q.test/a, prune: { old: true } }',
      '4:44: expected the same prune',
    ],
  ])('refuses %s', async (entry, message) => {
    await expect(parse(`  - ${entry}`)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(`mirror.yaml:${message}`) as string,
    });
  });

  test('takes the same image twice', async () => {
    const one = '  - { from: r.test/a:1, to: q.test/a }\n';
    expect((await parse(one + one)).entries).toHaveLength(2);
  });

  test('leaves $${NAME} as text', async () => {
    const parsed = await parse("  - { from: r.test/a, to: q.test/a, tags: ['/^$${TEAM}/'] }");
    expect(parsed.entries[0]?.selection.tags).toEqual(['/^${TEAM}/']);
  });
});
