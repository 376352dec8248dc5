import { expect, test } from 'vitest';

import type { HttpRequest } from '../../src/http/message.ts';
import { listRepositories, listTags } from '../../src/registry/lists.ts';
import { fakeTransport, type FakeResponse } from '../support/http/fake-transport.ts';
import { testConnection, testRepository } from '../support/http/registry-connection.ts';
import { listAll } from '../support/registries/watched.ts';

const page = (tags: readonly string[] | null, link?: string): FakeResponse => ({
  status: 200,
  headers: link === undefined ? {} : { link },
  body: { name: 'team/app', tags },
});

function tagsOf(handle: (request: HttpRequest) => FakeResponse) {
  const transport = fakeTransport(handle);
  const warnings: string[] = [];
  const tags = listTags(
    testRepository(transport.send, { retries: 0, onWarning: (message) => warnings.push(message) }),
  );
  return { tags, warnings, requests: transport.requests };
}

const last = ({ url }: HttpRequest): string | null => url.searchParams.get('last');

test('listTags() follows links to the end', async () => {
  const { tags, requests } = tagsOf((request) =>
    last(request) === null
      ? page(['a', 'b'], '</v2/other/tags/list?last=b>; rel="next"')
      : page(['c']),
  );
  expect(await listAll(tags)).toEqual(['a', 'b', 'c']);
  expect(requests.map(({ url }) => url.href)).toEqual([
    'https://registry.example/v2/team/app/tags/list?n=1000',
    'https://registry.example/v2/team/app/tags/list?last=b',
  ]);
});

test('listTags() requests a page only when it is needed', async () => {
  const { tags, requests } = tagsOf(() => page(['a', 'b'], '<?last=b>; rel="next"'));
  for await (const tag of tags) if (tag === 'b') break;
  expect(requests).toHaveLength(1);
});

test('listTags() sends one request when the server sends all tags and no Link', async () => {
  const { tags, requests } = tagsOf(() => page(['a']));
  await listAll(tags);
  expect(requests).toHaveLength(1);
});

test('listTags() yields nothing for "tags":null', async () => {
  expect(await listAll(tagsOf(() => page(null)).tags)).toEqual([]);
});

test('listTags() continues after an empty page', async () => {
  const { tags } = tagsOf((request) =>
    last(request) === null ? page([], '<?last=a>; rel="next"') : page(['b']),
  );
  expect(await listAll(tags)).toEqual(['b']);
});

test('listTags() ends, with a warning, when a link leads to a page already read', async () => {
  const { tags, warnings } = tagsOf((request) =>
    last(request) === 'x'
      ? page(['b'], '<?last=y>; rel="next"')
      : page([last(request) ?? 'a'], '<?last=x>; rel="next"'),
  );
  expect(await listAll(tags)).toEqual(['a', 'b', 'y']);
  expect(warnings).toEqual([expect.stringContaining('form a loop')]);
});

/** A server that ignores `last`, and counts up a parameter of its own. */
test('listTags() ends, with a warning, when a page has no new tags', async () => {
  let count = 0;
  const { tags, warnings, requests } = tagsOf(() =>
    page(['a', 'b'], `<?last=b&page=${(count += 1)}>; rel="next"`),
  );
  expect(await listAll(tags)).toEqual(['a', 'b']);
  expect(requests).toHaveLength(2);
  expect(warnings).toEqual([expect.stringContaining('no new items')]);
});

test('listTags() ends, with a warning, at a malformed link', async () => {
  const { tags, warnings } = tagsOf(() => page(['a'], '</v2/x; rel="next"'));
  expect(await listAll(tags)).toEqual(['a']);
  expect(warnings).toEqual([expect.stringContaining('malformed')]);
});

test('lst-link-loop: listTags() fails after 10,000 pages when every page has something new', async () => {
  let count = 0;
  const { tags } = tagsOf(() => page([`t${(count += 1)}`], `<?last=t${count}>; rel="next"`));
  await expect(listAll(tags)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  expect(count).toBe(10_000);
});

test('listTags() stops reading a page that is too large', async () => {
  const body = {
    async *[Symbol.asyncIterator]() {
      for (;;) yield new Uint8Array(1024 * 1024).fill(32);
    },
  };
  await expect(listAll(tagsOf(() => ({ status: 200, body })).tags)).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  });
});

test.each([
  ['a web page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }],
  ['another shape', { status: 200, body: { tags: 'a' } }],
  ['no object', { status: 200, body: '[]' }],
])('listTags() refuses %s', async (_, answer) => {
  await expect(listAll(tagsOf(() => answer).tags)).rejects.toMatchObject({
    code: 'INVALID_RESPONSE',
  });
});

test('B5: listTags() leaves out what is no tag, with one warning that counts it', async () => {
  const bad = ['', 'a b', 'x\ny', `sha256:${'0'.repeat(64)}`, null, 1];
  const transport = fakeTransport((request) =>
    last(request) === null
      ? { ...page(['a'], '<?last=a>; rel="next"'), body: { tags: ['a', ...bad] } }
      : { status: 200, body: { tags: ['b', 'b c'] } },
  );
  const warnings: string[] = [];
  const unusable: unknown[] = [];
  const repository = testRepository(transport.send, {
    onWarning: (message) => warnings.push(message),
  });
  const tags = listTags(repository, { onUnusable: (name) => unusable.push(name) });
  expect(await listAll(tags)).toEqual(['a', 'b']);
  expect(unusable).toEqual([...bad, 'b c']);
  expect(warnings).toEqual([expect.stringContaining('7')]);
  expect(warnings[0]).not.toContain('\n');
});

test('B5: listRepositories() leaves out what names no repository', async () => {
  const body = { repositories: ['a/b', '', '../x', 'x\ny', 7] };
  const transport = fakeTransport(() => ({ status: 200, body }));
  expect(await listAll(listRepositories(testConnection(transport.send)))).toEqual(['a/b']);
});

test('B6: listTags() takes a link without rel for the next page', async () => {
  const { tags } = tagsOf((request) =>
    last(request) === null ? page(['a'], '</v2/team/app/tags/list?last=a>') : page(['b']),
  );
  expect(await listAll(tags)).toEqual(['a', 'b']);
});

test('listTags() fails with NOT_FOUND when the repository does not exist', async () => {
  await expect(listAll(tagsOf(() => ({ status: 404 })).tags)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('listRepositories() reads the catalog', async () => {
  const transport = fakeTransport((request) =>
    last(request) === null
      ? {
          status: 200,
          headers: { link: '</v2/_catalog?last=a%2Fb&n=1>; rel="next"' },
          body: { repositories: ['a/b'] },
        }
      : { status: 200, body: { repositories: [] } },
  );
  expect(await listAll(listRepositories(testConnection(transport.send)))).toEqual(['a/b']);
  expect(transport.requests.at(-1)?.url.href).toBe(
    'https://registry.example/v2/_catalog?last=a%2Fb&n=1',
  );
});
