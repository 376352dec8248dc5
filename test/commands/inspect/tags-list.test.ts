import { beforeAll, describe, expect, test } from 'vitest';

import { createMemoryPlace } from '../../../src/stores/memory.ts';
import type { Store, TagLister } from '../../../src/store.ts';
import { main } from '../../../src/main.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { expectGolden } from '../../support/golden.ts';
import { makeArtifact, makeIndex } from '../../support/images/images.ts';
import { makeLayered } from '../../support/images/layered-image.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';

const [OLD, NEW] = [
  makeLayered([[{ name: 'a' }]], { created: '2020-01-01T00:00:00Z' }),
  makeLayered([[{ name: 'b' }]], { created: '2024-01-01T00:00:00Z' }),
];
const INDEX = makeIndex({ attestations: true });
const TAGS = ['1.2', '1.10', '1.10.1', '2.0-rc1', 'edge', 'latest', 'v1.3'];
const MANY = Array.from({ length: 10_000 }, (_, index) => `t${String(index).padStart(5, '0')}`);

let registry: FakeRegistry;

beforeAll(async () => {
  const place = createMemoryPlace();
  const app = place.open('team/app');
  for (const tag of TAGS) await (tag.startsWith('1.10') ? NEW : OLD).pushTo(app, tag);
  const table = place.open('team/table');
  await OLD.pushTo(table, '1.0-with-a-longer-name');
  await INDEX.pushAll(table, 'all');
  await makeArtifact({ size: 2000 }).pushAll(table, 'sbom');
  const many: Store & TagLister = Object.assign(asStore(place.open('team/many')), {
    async *listTags() {
      yield* MANY;
    },
  });
  registry = await startFakeRegistry({
    place: {
      name: 'place',
      repositories: () => place.repositories(),
      open: (name) => (name === 'team/many' ? many : place.open(name)),
    },
  });
});

/** Methods that can be put into another object. */
function asStore(store: Store): Store {
  return {
    place: store.place,
    repository: store.repository,
    resolve: (...args) => store.resolve(...args),
    fetch: (...args) => store.fetch(...args),
    exists: (...args) => store.exists(...args),
    push: (...args) => store.push(...args),
    tag: (...args) => store.tag(...args),
  };
}

function list(...args: readonly string[]): Promise<MainResult> {
  return runMain(['tags', 'list', ...args, `${registry.host}/team/app`]);
}

async function tags(...args: readonly string[]): Promise<readonly string[]> {
  const { status, stdout, stderr } = await list(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

describe('tags list', () => {
  test('tags list prints one a line, and ls is the same', async () => {
    expect(await tags()).toEqual([...TAGS].sort());
    expect((await runMain(['ls', `${registry.host}/team/app`])).stdout).toBe((await list()).stdout);
  });

  test.each([
    ['a glob', ['--match', '1.*'], ['1.10', '1.10.1', '1.2']],
    ['a regular expression', ['--match', '/^v?1\\.\\d$/'], ['1.2', 'v1.3']],
    ['versions', ['--match', '>=1.3 <2'], ['1.10', '1.10.1', 'v1.3']],
    ['what is not excluded', ['--match', '!*.*'], ['edge', 'latest']],
    ['what one takes and none excludes', ['--match', '1.*', '--match', '!/10/'], ['1.2']],
    ['nothing', ['--match', 'gone'], ['']],
  ])('tags list --match %s', async (_, args, wanted) => {
    expect(await tags(...args)).toEqual(wanted);
  });

  test.each([
    ['name', [...TAGS].sort()],
    ['semver', ['2.0-rc1', '1.10.1', '1.10', 'v1.3', '1.2', 'edge', 'latest']],
    ['created', ['1.10', '1.10.1', '1.2', '2.0-rc1', 'edge', 'latest', 'v1.3']],
  ])('tags list --sort %s', async (order, wanted) => {
    expect(await tags('--sort', order)).toEqual(wanted);
  });

  test('tags list --sort semver --limit 1 is the newest', async () => {
    expect(
      await tags('--sort', 'semver', '--match', '*', '--match', '!*-*', '--limit', '1'),
    ).toEqual(['1.10.1']);
  });

  test('tags list --digests prints the digest after a tab', async () => {
    expect(await tags('--digests', '--match', '1.*')).toEqual([
      `1.10\t${NEW.root.digest}`,
      `1.10.1\t${NEW.root.digest}`,
      `1.2\t${OLD.root.digest}`,
    ]);
  });

  test.each([[40], [80], [120], [undefined]])(
    'tags list -l is the golden table at %s columns, and no wider',
    async (columns) => {
      const { status, stdout } = await runMain(
        ['tags', 'list', '-l', `${registry.host}/team/table`],
        { ...(columns !== undefined && { columns }), env: { LANG: 'C.UTF-8' } },
      );
      expect(status).toBe(0);
      expectGolden(`test/golden/look/tags-list-${columns ?? 'pipe'}.txt`, stdout);
      if (columns === undefined) expect(stdout).toContain(INDEX.root.digest);
      else expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(columns);
    },
  );

  test('tags list -l --json has a row for each tag as it is read, with everything known', async () => {
    const { stdout } = await runMain(['ls', '-l', '--json', `${registry.host}/team/table`]);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      {
        tag: '1.0-with-a-longer-name',
        digest: OLD.root.digest,
        created: '2020-01-01T00:00:00Z',
        size: OLD.layers.reduce((sum, layer) => sum + layer.size, 0),
        platforms: ['linux/amd64'],
      },
      expect.objectContaining({ tag: 'all', platforms: ['linux/amd64', 'linux/arm64/v8'] }),
      expect.objectContaining({ tag: 'sbom', platforms: [] }),
    ]);
  });

  test('tags list --json prints the requested members', async () => {
    const rows = (await tags('--json', '--sort', 'created', '--digests', '--limit', '1')).map(
      (line) => JSON.parse(line) as unknown,
    );
    expect(rows).toEqual([
      { tag: '1.10', digest: NEW.root.digest, created: '2024-01-01T00:00:00Z' },
    ]);
  });

  test('tags list reports a missing repository', async () => {
    expect((await runMain(['tags', 'list', `${registry.host}/team/gone`])).status).toBe(3);
  });

  test('tags list of an image that a layout has', async () => {
    const { status, stderr } = await runMain(['tags', 'list', 'oci:gone']);
    expect({ status, stderr }).toMatchObject({ status: 3 });
  });
});

describe('tags list of 10,000 tags', () => {
  test('tags list prints the first page before it asks for the last', async () => {
    registry.forgetRequests();
    const last = registry.hold({ path: /last=t08999/ });
    const io = fakeIo();
    const running = main(['tags', 'list', `${registry.host}/team/many`], io);
    await last.reached;
    expect(io.stdoutText().split('\n').slice(0, 2)).toEqual(['t00000', 't00001']);
    expect(io.stdoutText().trimEnd().split('\n').length).toBeGreaterThanOrEqual(8000);
    expect(io.stdoutText()).not.toContain('t09000');
    last.release();
    expect(await running).toBe(0);
    expect(io.stdoutText()).toBe(`${MANY.join('\n')}\n`);
    expect(registry.count('GET', 'tags')).toBe(10);
  });

  test('tags list writes rows together', async () => {
    const io = fakeIo();
    expect(await main(['tags', 'list', `${registry.host}/team/many`], io)).toBe(0);
    expect(io.stdoutWrites()).toBeLessThan(200);
  });

  test('tags list --limit asks for no page that it does not need', async () => {
    registry.forgetRequests();
    const { stdout } = await runMain([
      'tags',
      'list',
      '--limit',
      '1500',
      `${registry.host}/team/many`,
    ]);
    expect(stdout.trimEnd().split('\n').length).toBe(1500);
    expect(registry.count('GET', 'tags')).toBe(2);
  });

  test('tags list ends quietly when its reader ends, and requests no further page', async () => {
    registry.forgetRequests();
    const io = fakeIo({ stdoutBreaksAt: 1 });
    expect(await main(['tags', 'list', `${registry.host}/team/many`], io)).toBe(0);
    expect(io.stderrText()).toBe('');
    expect(registry.count('GET', 'tags')).toBe(1);
  });
});

describe('regi tags list --reverse and --format', () => {
  test('--reverse turns the order around before the limit', async () => {
    const list = async (...flags: readonly string[]): Promise<string> =>
      (await runMain(['tags', 'list', `${registry.host}/team/app`, ...flags])).stdout;
    expect(await list('--sort', 'name', '--reverse', '--limit', '2')).toBe('v1.3\nlatest\n');
    expect((await list('--reverse')).trim().split('\n').toReversed()).toEqual(
      (await list()).trim().split('\n'),
    );
  });

  test('--format prints a template, and asks only for its fields', async () => {
    const argv = ['tags', 'list', `${registry.host}/team/app`, '--limit', '1', '--sort', 'name'];
    registry.forgetRequests();
    expect((await runMain([...argv, '--format', '{{.Tag}}!'])).stdout).toBe('1.10!\n');
    expect(registry.count('HEAD')).toBe(0);
    const { stdout } = await runMain([...argv, '--format', '{{.Tag}} {{.Digest}} {{.Created}}']);
    expect(stdout).toBe(`1.10 ${NEW.root.digest} 2024-01-01T00:00:00Z\n`);
    expect((await runMain([...argv, '--format', '{{.Nothing}}'])).status).toBe(2);
  });
});
