import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { RegiError } from '../../src/errors.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { canListReferrers } from '../../src/store.ts';
import { expectGolden } from '../support/golden.ts';
import {
  type ImageOptions,
  makeArtifact,
  makeImage,
  type TestImage,
  type TestImageManifest,
} from '../support/images/images.ts';
import { realClock } from '../support/clock.ts';
import { describeReal, isPrivileged } from '../support/programs/real-tools.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { RegistryCore } from './core.ts';
import type { Emulation } from './emulation.ts';
import { withRegistry } from './library.ts';
import { serveEmulation, type Served } from './serve.ts';

/**
 * What is known of a system after its tests, for docs/registries.md. Each value was seen, and not
 * written down by hand.
 */
export interface CloudFacts {
  readonly title: string;
  readonly registry: string;
  readonly users: readonly string[];
  readonly works: Readonly<Record<string, string>>;
  readonly limits: readonly string[];
}

/** What the tests of one system share. */
export interface Cloud {
  readonly served: () => Served;
  /** Remembers, at the end of a test, a limit that it has seen and how regi goes about it. */
  readonly limit: (text: string) => void;
}

const isRequired = process.env['REGI_REQUIRE_SERVERS'] === '1';

/**
 * The tests that every system has to pass: first skopeo, because the same hands wrote emulation and
 * regi, then regi. They run in order, share one server, and what they find is compared with
 * `test/golden/registries/NAME.json`, of which docs/registries.md is made.
 */
export function describeCloud(
  name: string,
  make: () => Emulation,
  more: (cloud: Cloud) => void,
): void {
  describePrivileged('emulation', () => {
    describeReal(name, ['skopeo', 'unshare', 'openssl'], () => describeSystem(name, make, more));
  });
}

/**
 * A `describe` for tests of servers under their real names, which are skipped where they cannot be
 * had.
 */
export function describePrivileged(title: string, body: () => void): void {
  const note = isPrivileged ? '' : ' (needs root, for port 443 and a hosts file of its own)';
  describe(`${title}${note}`, { skip: !isPrivileged && !isRequired }, () => {
    body();
  });
}

function describeSystem(name: string, make: () => Emulation, more: (cloud: Cloud) => void): void {
  let served: Served;
  const works: Record<string, string> = {};
  const limits: string[] = [];

  beforeAll(async () => {
    served = await serveEmulation(make());
  });

  test('skopeo logs in, copies in, lists, and copies out', async () => {
    const { registry, repositories } = served.emulation;
    const [{ username, password }] = served.emulation.logins;
    const tls = served.caFile === undefined ? ['--tls-verify=false'] : [];
    const place = `docker://${registry}/${repositories[0]}:skopeo`;
    const { layout, image } = await layoutOf({ seed: 11 });
    const out = temporaryFolder('out');
    expect(
      await served.skopeo(
        ['login', ...tls, '-u', username, '--password-stdin', registry],
        `${password}-wrong`,
      ),
    ).not.toMatchObject({ status: 0 });
    expect(
      await served.skopeo(
        ['login', ...tls, '-u', username, '--password-stdin', registry],
        password,
      ),
    ).toMatchObject({ status: 0 });
    expect(
      await served.skopeo([
        'copy',
        '--quiet',
        ...tls.map(() => '--dest-tls-verify=false'),
        layout,
        place,
      ]),
    ).toMatchObject({ status: 0 });
    const listed = await served.skopeo([
      'list-tags',
      ...tls,
      `docker://${registry}/${repositories[0]}`,
    ]);
    expect(listed.stdout).toContain('"skopeo"');
    expect(
      await served.skopeo([
        'copy',
        '--quiet',
        ...tls.map(() => '--src-tls-verify=false'),
        place,
        `oci:${out}:1`,
      ]),
    ).toMatchObject({ status: 0 });
    expect(readFileSync(join(out, 'index.json'), 'utf8')).toContain(image.root.digest);
    works['skopeo'] = 'yes';
  });

  test('regi login takes every kind of user, and refuses a wrong password with status 4', async () => {
    const { logins, registry } = served.emulation;
    for (const { username, password } of logins) {
      const home = temporaryFolder('home');
      const argv = ['-vv', 'login', '-u', username, '--password-stdin', registry];
      const wrong = await served.regi(argv, { home, stdin: `${password}wrong` });
      expect(wrong.status).toBe(4);
      expect(wrong.stderr).toContain(`as ${JSON.stringify(username)}`);
      const right = await served.regi(argv, { home, stdin: password });
      expect([right.stdout, right.status]).toEqual(['Login Succeeded\n', 0]);
      expect((await served.regi(['digest', served.ref('nothing-here')], { home })).status).toBe(3);
      expectNoSecrets(served, wrong.stderr + right.stderr + wrong.stdout + right.stdout);
    }
    works['login'] = 'yes';
  });

  test('regi pushes, pulls, copies and lists, and shows nothing secret with -vv', async () => {
    const { layout, image } = await layoutOf({ seed: 21 });
    const other = served.ref('1', served.emulation.repositories[1]);
    const out = temporaryFolder('out');
    const before = served.seen.length;
    const runs = [
      await served.regi(['-vv', 'copy', layout, served.ref('1')]),
      await served.regi(['-vv', 'copy', served.ref('1'), `oci:${out}:1`]),
      await served.regi(['-vv', 'copy', served.ref('1'), other]),
      await served.regi(['-vv', 'digest', other]),
      await served.regi(['-vv', 'tags', 'list', served.ref('1').replace(/:1$/, '')]),
    ];
    expect(runs.map(({ status, stderr }) => (status === 0 ? 0 : stderr))).toEqual([0, 0, 0, 0, 0]);
    expect(runs[3]?.stdout).toBe(`${image.root.digest}\n`);
    expect(runs[4]?.stdout.split('\n')).toContain('1');
    expectNoSecrets(served, runs.map(({ stdout, stderr }) => stdout + stderr).join('\n'));
    works['push, pull, copy'] = 'yes';
    works['list tags'] = 'yes';
    // A mount from the repository into itself asks whether the blob is there.
    const isFromAnother = (url: URL): boolean =>
      url.searchParams.has('mount') &&
      !url.pathname.includes(`/${url.searchParams.get('from')}/blobs/`);
    const mounts = served.seen
      .slice(before)
      .filter(({ method, url }) => method === 'POST' && isFromAnother(url));
    works['mount'] =
      mounts.length > 0 && mounts.every(({ status }) => status === 201) ? 'yes' : 'no: copied';
  });

  test('regi copies again without moving anything', async () => {
    const { layout } = await layoutOf({ seed: 22 });
    await served.regi(['copy', layout, served.ref('again')]);
    const before = served.seen.length;
    expect((await served.regi(['copy', layout, served.ref('again')])).status).toBe(0);
    expect(
      served.seen.slice(before).filter(({ method }) => method !== 'GET' && method !== 'HEAD'),
    ).toEqual([]);
  });

  test('a wrong password in the configuration ends with status 4, and the message says where it was found', async () => {
    const { layout } = await layoutOf({ seed: 23 });
    const [{ username, password }] = served.emulation.logins;
    const home = served.homeOf({ username, password: `${password}wrong` });
    for (const argv of [
      ['copy', layout, served.ref('refused')],
      ['digest', served.ref('1')],
    ]) {
      const { status, stderr } = await served.regi(['-vv', ...argv], { home });
      expect([status, stderr]).toEqual([
        4,
        expect.stringMatching(/the credentials from .*config\.json.* were refused/),
      ]);
      expectNoSecrets(served, stderr);
    }
    works['wrong password'] = 'exit 4';
  });

  test('regi keeps and finds what refers to an image', async () => {
    const { layout, image } = await layoutOf({ seed: 24 });
    await served.regi(['copy', layout, served.ref('signed')]);
    const artifact = makeArtifact({ subject: image.root });
    works['referrers'] = await outcome(() =>
      withRegistry(served, async ({ open }) => {
        const store = open(served.emulation.repositories[0]);
        for (const { descriptor, bytes } of artifact.nodes.values())
          await store.push(descriptor, bytesOf(bytes));
        if (!canListReferrers(store)) throw new Error('A registry lists referrers');
        const found: string[] = [];
        for await (const { digest } of store.listReferrers(image.root)) found.push(digest);
        expect(found).toEqual([artifact.root.digest]);
      }),
    );
    const tags = [
      ...(served.emulation.core.find(served.emulation.repositories[0])?.tags.keys() ?? []),
    ];
    if (works['referrers'] === 'yes')
      works['referrers'] = tags.some((tag) => tag.startsWith('sha256-')) ? 'by tag' : 'API';
  });

  test('regi deletes what can be deleted', async () => {
    const { layout, image } = await layoutOf({ seed: 25 });
    for (const tag of ['kept', 'gone']) await served.regi(['copy', layout, served.ref(tag)]);
    await withRegistry(served, async ({ open }) => {
      const store = open(served.emulation.repositories[0]);
      works['delete tag'] = await outcome(() => store.untag('gone'));
      const first = await outcome(() => store.delete(image.root));
      if (first !== 'yes' && works['delete tag'] === 'yes') await store.untag('kept');
      const second = first === 'yes' ? first : await outcome(() => store.delete(image.root));
      works['delete digest'] = first !== 'yes' && second === 'yes' ? 'after its tags' : second;
    });
    const { status } = await served.regi(['digest', served.ref('kept')]);
    expect(status).toBe(works['delete digest']?.startsWith('no') === true ? 0 : 3);
  });

  test('regi doctor finds a way in, begins nothing, and shows nothing secret', async () => {
    await served.regi(['copy', (await layoutOf({ seed: 26 })).layout, served.ref('doctor')]);
    const before = served.seen.length;
    const repository = `${served.emulation.registry}/${served.emulation.repositories[0]}`;
    const { status, stdout, stderr } = await served.regi(['-vv', '--json', 'doctor', repository]);
    const steps = new Map(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => [stepOf(line).step, stepOf(line)]),
    );
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    expect(steps.get('login')).toMatchObject({
      status: 'ok',
      message: expect.stringContaining(' is accepted'),
    });
    expect(steps.get('repository')).toMatchObject({ status: 'ok' });
    expect(
      served.seen
        .slice(before)
        .filter(
          ({ method, url }) =>
            url.pathname.startsWith('/v2/') && !['GET', 'HEAD', 'DELETE'].includes(method),
        ),
    ).toEqual([]);
    expectNoSecrets(served, stdout + stderr);
    const pushed = await served.regi(['doctor', '--push', repository]);
    expect([pushed.status, pushed.stdout]).toEqual([
      0,
      expect.stringMatching(/^[+] push .*is writable: an upload was started and cancelled/m),
    ]);
    expect(served.emulation.core.uploads.size).toBe(0);
    const [{ username, password }] = served.emulation.logins;
    const refused = await served.regi(['-vv', 'doctor', repository], {
      home: served.homeOf({ username, password: `${password}wrong` }),
    });
    expect([refused.status, refused.stdout]).toEqual([
      4,
      expect.stringMatching(/^x login .*the credentials from .*config\.json were refused/m),
    ]);
    expectNoSecrets(served, refused.stdout + refused.stderr);
    // Without a login, doctor gets in where tokens are public, and names the missing login elsewhere.
    const nobody = await served.regi(['doctor', served.emulation.registry], {
      home: temporaryFolder('home'),
    });
    const wantsPassword = /^[+] challenge .*Basic/m.test(nobody.stdout);
    expect([nobody.status, /^x (\S+)/m.exec(nobody.stdout)?.[1]]).toEqual(
      wantsPassword ? [4, 'login'] : [0, undefined],
    );
  });

  test('regi lists repositories where there is a catalog', async () => {
    const { status, stdout, stderr } = await served.regi([
      'repos',
      'list',
      served.emulation.registry,
    ]);
    if (status === 0) expect(stdout.split('\n')).toContain(served.emulation.repositories[0]);
    works['catalog'] =
      status === 0 ? 'yes' : `no (${/status (\d+)/.exec(stderr)?.[1] ?? `exit ${status}`})`;
  });

  more({ served: () => served, limit: (text) => void limits.push(text) });

  test('storage and strangers never saw what proves who we are', () => {
    const { registry, hosts } = served.emulation;
    const trusted = new Set([
      registry === 'docker.io' ? 'registry-1.docker.io' : registry.replace(/:\d+$/, ''),
    ]);
    // Go's clients send a token to names below that of the registry.
    const ours = served.seen.filter(({ headers }) => headers['user-agent']?.startsWith('regi/'));
    const strange = ours.filter(
      ({ url, authorization }) =>
        authorization !== undefined && !trusted.has(url.hostname) && !isTokenService(url),
    );
    expect(strange.map(({ url }) => url.host)).toEqual([]);
    expect(served.seen.every(({ url }) => hosts.includes(url.hostname))).toBe(true);
    expect(
      served.seen
        .filter(({ status }) => status === 418 || status === 421)
        .map(({ method, url }) => `${method} ${url.href}`),
    ).toEqual([]);
  });

  test('all of this stands in docs/registries.md', () => {
    const facts: CloudFacts = {
      title: served.emulation.title,
      registry: served.emulation.registry,
      users: usersOf(served),
      works,
      limits,
    };
    expectGolden(`test/golden/registries/${name}.json`, `${JSON.stringify(facts, undefined, 2)}\n`);
  });
}

/** An image in an OCI layout of its own, as regi and skopeo name it. */
export async function layoutOf(
  options: ImageOptions,
): Promise<{ readonly layout: string; readonly image: TestImageManifest }> {
  const folder = temporaryFolder('layout');
  const image = makeImage(options);
  await image.pushAll(await openLayout(folder, { create: true, clock: realClock }), '1');
  return { layout: `oci:${folder}:1`, image };
}

/** Puts an image into an emulation, past its rules. */
export function seed(
  core: RegistryCore,
  repository: string,
  tags: readonly string[],
  image: TestImage,
): void {
  const kept = core.repository(repository);
  for (const [digest, { descriptor, bytes }] of image.nodes) {
    if (descriptor.mediaType.includes('manifest') || descriptor.mediaType.includes('index'))
      kept.manifests.set(digest, { mediaType: descriptor.mediaType, bytes });
    else kept.blobs.set(digest, bytes);
  }
  for (const tag of tags) kept.tags.set(tag, image.root.digest);
}

/**
 * Fails when a password, a token, a signature, or what a password looks like in a header, is in a
 * text.
 */
export function expectNoSecrets({ emulation }: Served, text: string): void {
  const passwords = emulation.logins.flatMap(({ username, password }) =>
    [password, `${password}wrong`].flatMap((word) => [
      word,
      Buffer.from(`${username}:${word}`).toString('base64'),
      encodeURIComponent(word),
    ]),
  );
  const shown = [...passwords, ...(emulation.secrets?.() ?? [])].filter((secret) =>
    text.includes(secret),
  );
  expect(shown).toEqual([]);
}

/** `yes`, or why not, in the words of the exit status. */
async function outcome(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return 'yes';
  } catch (error) {
    if (!(error instanceof RegiError)) throw error;
    const status = 'status' in error ? ` (${String(error.status)})` : '';
    return `no${status}`;
  }
}

function stepOf(line: string): {
  readonly step: string;
  readonly status: string;
  readonly message: string;
} {
  return JSON.parse(line) as ReturnType<typeof stepOf>;
}

function usersOf({ emulation }: Served): readonly string[] {
  return emulation.logins.map(({ username }) => username);
}

function isTokenService({ hostname, pathname }: URL): boolean {
  return (
    /token|auth/.test(pathname) && !pathname.startsWith('/v2/') && !hostname.includes('storage')
  );
}
