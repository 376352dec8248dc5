import { expect, test } from 'vitest';

import { startEndlessServer } from '../support/http/endless-server.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { runMain } from '../support/cli/run-main.ts';
import { startListing } from '../support/registries/listing.ts';

test.each([
  ['to itself', () => '</v2/app/tags/list>; rel="next"'],
  [
    'that changes and gives the same again',
    (url: URL) =>
      `</v2/app/tags/list?last=${Number(url.searchParams.get('last') ?? 0) + 1}>; rel="next"`,
  ],
])('lst-link-loop: a list whose pages link %s ends with a warning', async (_, linkOf) => {
  const { host, asked } = await startListing((url) => ({
    body: '{"name":"app","tags":["a","b"]}',
    link: linkOf(url),
  }));
  const { status, stdout, stderr } = await runMain(['tags', 'list', `${host}/app`]);
  expect({ status, stdout, asked: asked() <= 3 }).toEqual({
    status: 1,
    stdout: 'a\nb\n',
    asked: true,
  });
  expect(stderr).toMatch(/Cannot list the tags of .* further/);
});

test('lst-link-loop: a next page on another host is not requested', async () => {
  const elsewhere = await startListing(() => ({ body: '{"tags":["stolen"]}' }));
  const { host } = await startListing((url) =>
    url.search === ''
      ? {
          body: '{"tags":["a"]}',
          link: `<http://${elsewhere.host}/v2/app/tags/list?last=a>; rel="next"`,
        }
      : { body: '{"tags":["b"]}' },
  );
  const { stdout } = await runMain(['tags', 'list', `${host}/app`]);
  expect(stdout).not.toContain('stolen');
  expect(elsewhere.asked()).toBe(0);
});

test('lst-huge: an endless page is read only up to its limit', async () => {
  const server = await startEndlessServer('a'.repeat(65_536), { begin: '{"tags":["' });
  const { status } = await runMain(['tags', 'list', `${server.host}/app`]);
  expect(status).toBe(7);
  expect(server.sent()).toBeLessThan(64 * 1024 * 1024);
});

test('lst-terminal: control characters are escaped, in JSON too', async () => {
  const hostile = '\u001b]0;title\u0007\u009b2J\u202egpj';
  const { host } = await startListing(() => ({ body: JSON.stringify({ tags: [hostile] }) }));
  for (const flags of [[], ['--json']]) {
    const { stdout } = await runMain(['tags', 'list', ...flags, `${host}/app`], { isTTY: true });
    expect(stdout).not.toMatch(/[\u001b\u0007\u009b\u202e]/);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  }
});

test('lst-terminal: control characters in a warning or an error are escaped', async () => {
  const registry = await startFakeRegistry();
  const headers = { warning: '299 - "careful \u009b2J"' };
  registry.fault({
    match: { path: /tags/ },
    action: {
      kind: 'respond',
      status: 400,
      headers,
      body: JSON.stringify({ errors: [{ code: 'X\u001b[1m', message: '\u001b[2J\nsecond' }] }),
    },
  });
  const { stderr } = await runMain(['tags', 'list', `${registry.host}/app`]);
  expect(stderr).not.toMatch(/[\u001b\u009b]/);
});

test('trust-catalog: a page has at most 1,000 names, and an endless response is read up to its limit', async () => {
  const { host, sent } = await startEndlessServer('"a/b",', { begin: '{"repositories":[' });
  const { status, stdout, stderr } = await runMain(['repos', 'list', host]);
  expect({ status, stdout }).toEqual({ status: 7, stdout: '' });
  expect(stderr).toContain('expected at most');
  // Twice the bound: what two sockets hold had left the server already.
  expect(sent()).toBeLessThan(32 * 1024 * 1024);
});

test('trust-catalog: repositories are read in pages of 1,000', async () => {
  const asked: (string | null)[] = [];
  const { host } = await startListing((url) => {
    asked.push(url.searchParams.get('n'));
    return url.searchParams.has('last')
      ? { body: '{"repositories":["b"]}' }
      : { body: '{"repositories":["a"]}', link: '</v2/_catalog?last=a&n=1000000>; rel="next"' };
  });
  expect(await runMain(['repos', 'list', host])).toMatchObject({ status: 0, stdout: 'a\nb\n' });
  expect(asked).toEqual(['1000', '1000000']);
});
