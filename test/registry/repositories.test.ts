import { describe, expect, test } from 'vitest';

import type { HttpRequest } from '../../src/http/message.ts';
import { listVendorRepositories } from '../../src/registry/repositories.ts';
import { fakeTransport, type FakeResponse } from '../support/http/fake-transport.ts';
import { testConnection } from '../support/http/registry-connection.ts';

function list(
  host: string,
  namespace: string,
  handle: (request: HttpRequest) => FakeResponse,
): { names: Promise<readonly string[] | undefined>; urls: () => readonly string[] } {
  const { send, requests } = fakeTransport(handle);
  const connection = testConnection(send, { host, retries: 0 });
  return {
    names: listVendorRepositories(connection, namespace),
    urls: () => requests.map(({ url }) => url.href).filter((url) => !url.endsWith('/v2/')),
  };
}

const pageOf = ({ url }: HttpRequest): number => Number(url.searchParams.get('page'));

describe('listVendorRepositories()', () => {
  test('pages through the namespace of Docker Hub without credentials', async () => {
    const { names, urls } = list('docker.io', 'acme', (request) => ({
      status: 200,
      body: {
        count: 3,
        next: pageOf(request) === 1 ? 'https://hub.docker.com/next' : null,
        results: pageOf(request) === 1 ? [{ name: 'b' }, { name: 'a' }] : [{ name: 'c' }],
      },
    }));
    expect(await names).toEqual(['acme/a', 'acme/b', 'acme/c']);
    expect(urls()).toEqual(
      [1, 2].map(
        (page) =>
          `https://hub.docker.com/v2/namespaces/acme/repositories?page=${page}&page_size=100`,
      ),
    );
  });

  test('asks GitLab.com for a group, else for a project', async () => {
    const { names, urls } = list('registry.gitlab.com', 'acme/app', ({ url }) =>
      url.pathname.includes('/groups/')
        ? { status: 404, body: { message: '404 Group Not Found' } }
        : { status: 200, body: [{ path: 'acme/app' }, { path: 'acme/app/tool' }] },
    );
    expect(await names).toEqual(['acme/app', 'acme/app/tool']);
    expect(urls()[1]).toContain('/projects/acme%2Fapp/registry/repositories?page=1');
  });

  test('reads the project of Harbor up to its total, which is more than a page', async () => {
    const { names, urls } = list('harbor.example', 'acme/deep', (request) => ({
      status: 200,
      headers: { 'x-total-count': '3' },
      body:
        pageOf(request) === 1
          ? [{ name: 'acme/one' }, { name: 'No Name' }]
          : [{ name: 'acme/deep/two' }],
    }));
    expect(await names).toEqual(['acme/deep/two', 'acme/one']);
    expect(urls()[0]).toContain(
      'https://harbor.example/api/v2.0/projects/acme/repositories?page=1',
    );
  });

  test.each<readonly [string, FakeResponse]>([
    ['404', { status: 404 }],
    ['a web page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['another object', { status: 200, body: { name: 'x' } }],
  ])('finds no list where the registry has %s there', async (_, response) => {
    expect(await list('registry.example', 'acme', () => response).names).toBeUndefined();
  });

  test.each<readonly [string, FakeResponse]>([
    ['a refusal', { status: 403, body: {} }],
    ['no list', { status: 200, body: {} }],
    ['the same page again', { status: 200, body: { next: 'more', results: [{ name: 'a' }] } }],
  ])('never takes a part of Docker Hub for the whole after %s', async (_, second) => {
    const { names } = list('docker.io', 'acme', (request) =>
      pageOf(request) === 1
        ? { status: 200, body: { next: 'more', results: [{ name: 'a' }] } }
        : second,
    );
    await expect(names).rejects.toThrow(/Cannot list the repositories of "docker.io\/acme"/);
  });

  test('fails after 10,000 pages when every page has something new', async () => {
    const { names, urls } = list('docker.io', 'acme', (request) => ({
      status: 200,
      body: { next: 'more', results: [{ name: `app${pageOf(request)}` }] },
    }));
    await expect(names).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      hint: 'the list of the registry does not end; report it to its operator',
    });
    expect(urls()).toHaveLength(10_000);
  });
});
