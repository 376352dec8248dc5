import { http, HttpResponse } from 'msw';
import { beforeAll, expect, test } from 'vitest';

import { temporaryFolder } from '../support/temporary-folder.ts';
import { makeImage } from '../support/images/images.ts';
import { describePrivileged, seed } from './cloud-contract.ts';
import { distribution } from './products/distribution.ts';
import { dockerHub } from './hosted/docker-hub.ts';
import { harbor } from './products/harbor.ts';
import { serveEmulation, type Served } from './serve.ts';

/**
 * What the search of the web pages answers, as others have described it: pulls are text, and there
 * is more than anybody needs.
 */
const NEW_RESULTS = [
  {
    id: 'library/nginx',
    name: 'nginx',
    type: 'image',
    badge: 'official',
    star_count: 20000,
    pull_count: '1B+',
    short_description: 'Official build of Nginx.',
  },
  {
    id: 'bitnami/nginx',
    name: 'nginx',
    badge: 'verified_publisher',
    star_count: 200,
    pull_count: '100M+',
    short_description:
      'Bitnami container image for NGINX,\n with a line break and more words than any terminal has columns for',
  },
  {
    id: 'linuxserver/nginx',
    badge: 'open_source',
    star_count: 180,
    pull_count: 1234,
    short_description: '',
  },
  {
    id: 'evil/\u001b[2Jnginx',
    badge: 'none',
    star_count: 'many',
    short_description: 'turns \u202e around',
  },
  'nothing that is known',
];
const OLD_RESULTS = {
  query: 'nginx',
  num_results: 2,
  results: [
    {
      name: 'nginx',
      description: 'Official build of Nginx.',
      star_count: 20000,
      is_official: true,
      is_automated: false,
      is_trusted: false,
    },
    { name: 'bitnami/nginx', description: 'Bitnami', star_count: 200, is_official: false },
  ],
};

let hub: Served;
let mode: 'new' | 'refused' | 'page' | 'limited' = 'new';

function search(...args: readonly string[]): ReturnType<Served['regi']> {
  return hub.regi(['search', ...args], { home: hub.homeOf(hub.emulation.logins[0]) });
}

describePrivileged('search on Docker Hub', () => {
  beforeAll(async () => {
    const emulation = dockerHub();
    hub = await serveEmulation({
      ...emulation,
      hosts: [...emulation.hosts, 'hub.docker.com', 'index.docker.io'],
      handlers: [
        http.get('https://hub.docker.com/api/search/v4', ({ request }) => {
          const { searchParams } = new URL(request.url);
          if (mode === 'refused')
            return new HttpResponse('<title>Just a moment...</title>', {
              status: 403,
              headers: { 'content-type': 'text/html' },
            });
          if (mode === 'page')
            return new HttpResponse('<title>Docker Hub</title>', {
              headers: { 'content-type': 'text/html' },
            });
          if (mode === 'limited')
            return HttpResponse.json(
              { detail: 'Rate limit exceeded', error: false },
              { status: 429 },
            );
          return HttpResponse.json({
            total: 900,
            results:
              searchParams.get('query') === 'nginx'
                ? NEW_RESULTS.slice(0, Number(searchParams.get('size')))
                : [],
          });
        }),
        http.get('https://index.docker.io/v1/search', () => HttpResponse.json(OLD_RESULTS)),
        ...emulation.handlers,
      ],
    });
  });

  test('search prints a table, marks first of all', async () => {
    mode = 'new';
    const { status, stdout, stderr } = await search('nginx');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'NAME                MARK        STARS   PULLS   DESCRIPTION',
      'nginx               official    20000   1B+     Official build of Nginx.',
      'bitnami/nginx       verified    200     100M+   Bitnami container image for NGINX, with a line break and ...',
      'linuxserver/nginx   sponsored   180     1234',
      String.raw`evil/\x1b[2Jnginx                               turns \u{202e} around`,
      '',
    ]);
  });

  test('search sends no login', async () => {
    hub.seen.length = 0;
    await search('nginx');
    expect(hub.seen.map(({ url, authorization }) => [url.host, authorization])).toEqual([
      ['hub.docker.com', undefined],
    ]);
  });

  test('search --json has one object a line', async () => {
    const { stdout } = await search('--json', '--limit', '1', 'library/nginx');
    expect(JSON.parse(stdout)).toEqual({
      name: 'nginx',
      description: 'Official build of Nginx.',
      mark: 'official',
      stars: 20000,
      pulls: '1B+',
    });
  });

  test.each([
    [['--filter', 'is-official=true'], ['nginx']],
    [
      ['--filter', 'is-official=false', '-f', 'stars=100'],
      ['bitnami/nginx', 'linuxserver/nginx'],
    ],
    [['--filter', 'stars=1000'], ['nginx']],
  ])('search %j keeps what docker search keeps', async (filters, names) => {
    const { stdout } = await search('--json', ...filters, 'nginx');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { readonly name: string }).name),
    ).toEqual(names);
  });

  test.each(['refused', 'page'] as const)(
    'search asks the interface of docker when the new one answers with something else: %s',
    async (answer) => {
      mode = answer;
      const { status, stdout } = await search('docker.io/nginx');
      expect({ status, lines: stdout.split('\n') }).toEqual({
        status: 0,
        lines: [
          'NAME            MARK       STARS   DESCRIPTION',
          'nginx           official   20000   Official build of Nginx.',
          'bitnami/nginx              200     Bitnami',
          '',
        ],
      });
    },
  );

  test('search says when Docker Hub limits it', async () => {
    mode = 'limited';
    const { status, stderr } = await search('--retry', '0', 'nginx');
    expect(status).toBe(6);
    expect(stderr).toContain(
      'Cannot search Docker Hub for "nginx": "hub.docker.com" limits the rate of requests (status 429, "Rate limit exceeded")',
    );
  });

  test('search says when there is nothing', async () => {
    mode = 'new';
    expect(await search('no-such-thing')).toMatchObject({
      status: 0,
      stdout: '',
      stderr: 'No repository of "docker.io" matches "no-such-thing"\n',
    });
  });

  test.each([
    [['registry.example/'], 'Cannot search for nothing: expected a word'],
    [
      ['--filter', 'is-automated=true', 'nginx'],
      'Cannot use "is-automated=true" for "--filter": expected stars=N or is-official=true',
    ],
    [
      ['--limit', '1000', 'nginx'],
      'Cannot use "1000" for "--limit": expected a whole number from 1 to 100',
    ],
  ])('search refuses %j', async (args, message) => {
    const { status, stderr } = await search(...args);
    expect({ status, first: stderr.split('\n')[0] }).toEqual({
      status: 2,
      first: `regi: ${message}`,
    });
  });
});

describePrivileged('search on other registries', () => {
  test('search asks Harbor by its own interface', async () => {
    const emulation = harbor();
    const served = await serveEmulation({
      ...emulation,
      handlers: [
        http.get('https://harbor.corp.example/api/v2.0/search', ({ request }) =>
          HttpResponse.json({
            project: [
              { name: 'public', project_id: 2, metadata: { public: 'true' }, repo_count: 1 },
            ],
            repository:
              new URL(request.url).searchParams.get('q') === 'a b&c'
                ? [
                    {
                      repository_name: 'public/app',
                      project_name: 'public',
                      project_public: true,
                      pull_count: 42,
                      artifact_count: 3,
                    },
                  ]
                : [],
          }),
        ),
        ...emulation.handlers,
      ],
    });
    expect((await served.regi(['search', 'harbor.corp.example/a b&c'])).stdout).toBe(
      'NAME                             PULLS\nharbor.corp.example/public/app   42\n',
    );
  });

  test('search looks through the catalog where there is no search', async () => {
    const emulation = distribution();
    const served = await serveEmulation(emulation);
    seed(emulation.core, 'team/web-app', ['1'], makeImage());
    seed(emulation.core, 'team/database', ['1'], makeImage());
    const { status, stdout } = await served.regi(['search', '--json', `${emulation.registry}/APP`]);
    expect({
      status,
      rows: stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    }).toEqual({
      status: 0,
      rows: [{ name: `${emulation.registry}/team/web-app`, description: '' }],
    });
  });

  test('search says when a registry has neither', async () => {
    const served = await serveEmulation({
      ...dockerHub(),
      hosts: ['plain.example'],
      handlers: [
        http.all('https://plain.example/*', () => new HttpResponse('no', { status: 404 })),
      ],
    });
    const { status, stderr } = await served.regi(['search', 'plain.example/app'], {
      home: temporaryFolder('home'),
    });
    expect(status).toBe(1);
    expect(stderr).toContain(
      'Cannot search "plain.example": it has neither a search nor a catalog\n  name a repository and list its tags: regi tags list plain.example/NAME\n',
    );
  });
});
