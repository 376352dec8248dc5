import { existsSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { basename, dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { json, layoutMembers } from '../../support/images/archives.ts';
import { makeImage } from '../../support/images/images.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { fakeIo, type FakeIo } from '../../support/cli/io.ts';
import { leftovers } from '../../support/images/layout-folder.ts';
import { localImages } from '../../support/images/local-images.ts';
import { sendRaw } from '../../support/http/raw-request.ts';
import { rootOf } from '../../support/registries/spec-client.ts';
import { writeTar } from '../../support/images/tar-builder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function refused(
  args: readonly string[],
): Promise<{ readonly status: number; readonly io: FakeIo }> {
  const io = fakeIo({
    cwd: temporaryFolder('serve'),
    home: temporaryFolder('home'),
    signal: AbortSignal.timeout(30_000),
  });
  writeFileSync(join(io.cwd, 'file'), 'no certificate');
  return { status: await main(['serve', '--listen', '127.0.0.1:0', ...args], io), io };
}

describe('regi serve refuses', () => {
  test.each([
    ['a local store that is to be read and is not there', ['--read-only'], 3, 'regi pull REF'],
    ['an image of the local store', ['local:nginx'], 1, 'regi serve local:'],
    ['a bare word that is no folder', ['nginx'], 2, 'oci:nginx'],
    ['an image of a layout', ['oci:dir:tag'], 2, 'oci:dir'],
    ['a repository', ['docker://registry.example/app'], 2, 'oci:DIR'],
    ['an archive that is not there', ['images.tar'], 3, 'check the path'],
    ['a file that is no archive', ['file'], 7, 'give an image archive'],
    ['a folder beside an archive that is not there', ['oci:dir', 'archive:images.tar'], 3, 'path'],
    ['the local store beside an archive', ['images.tar', 'local:'], 2, '--listen'],
    [
      'a repository beside an archive',
      ['images.tar', 'docker://registry.example/app'],
      2,
      '--listen',
    ],
    ['a word that is nothing beside an archive', ['images.tar', 'nothing'], 2, 'check the path'],
    ['an image of an archive', ['archive:images.tar:1.0'], 2, 'archive:images.tar'],
    ['an archive beside --memory', ['--memory', 'archive:images.tar'], 2, 'drop one'],
    ['a location beside --memory', ['--memory', 'oci:dir'], 2, 'drop one'],
    ['an empty registry that stays empty', ['--memory', '--read-only'], 2, '--read-only'],
    ['a layout that is to be read and is not there', ['oci:dir', '--read-only'], 3, 'oci:'],
    ['an open address without a guard', ['oci:dir', '--listen', '0.0.0.0:0'], 2, '--htpasswd FILE'],
    [
      'a name that may be of another machine without a guard',
      ['oci:dir', '--listen', 'registry.example:0'],
      2,
      '--read-only',
    ],
    [
      'an address without a port',
      ['oci:dir', '--listen', 'localhost'],
      2,
      '--listen 127.0.0.1:5000',
    ],
    ['a certificate without its key', ['oci:dir', '--tls-cert', 'file'], 2, '--tls-key'],
    [
      'a certificate that is none',
      ['oci:dir', '--tls-cert', 'file', '--tls-key', 'file'],
      2,
      'first',
    ],
    ['a file of users that is missing', ['oci:dir', '--htpasswd', 'absent'], 2, 'path'],
    ['a file of users that is none', ['oci:dir', '--htpasswd', 'file'], 2, 'htpasswd -B'],
    [
      'a name with a scheme',
      ['oci:dir', '--allow-host', 'https://registry.example'],
      2,
      'without https://',
    ],
  ])('%s', async (_what, args, status, hint) => {
    const found = await refused(args);
    expect(found.io.stderrText()).toMatch(/^regi: Cannot .+\n {2}\S.+\n$/);
    expect(found.io.stderrText().split('\n')[1]).toContain(hint);
    expect([found.status, found.io.stdoutText(), existsSync(join(found.io.cwd, 'dir'))]).toEqual([
      status,
      '',
      false,
    ]);
  });
});

describe('regi serve', () => {
  /** Runs it until it listens, asks something, and tells it to stop. */
  async function served(
    cwd: string,
    args: readonly string[],
    ask: (url: string) => Promise<void> = async () => undefined,
    env: FakeIo['env'] = {},
  ): Promise<FakeIo> {
    const controller = new AbortController();
    const io = fakeIo({ cwd, env, signal: controller.signal });
    let asked = Promise.resolve();
    const stderr = {
      ...io.stderr,
      write: async (chunk: string | Uint8Array) => {
        await io.stderr.write(chunk);
        const url = /listening on (\S+)/.exec(chunk.toString())?.[1];
        if (url !== undefined) asked = ask(url).finally(() => controller.abort(new Error('stop')));
      },
    };
    expect(await main(['serve', ...args, '--listen', '127.0.0.1:0'], { ...io, stderr })).toBe(0);
    await asked;
    return io;
  }

  async function answers(url: string): Promise<unknown> {
    const chunks: Buffer[] = [];
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      get(url, { agent: false }, resolve).once('error', reject),
    );
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  }

  test('an archive is served by the names that are in it', async () => {
    const path = writeTar(
      layoutMembers([
        { image: makeImage(), refName: '12', fullName: 'docker.io/library/debian:12' },
      ]),
    );
    const io = await served(dirname(path), [basename(path)], async (url) => {
      expect(await answers(`${url}/v2/library/debian/tags/list`)).toEqual({
        name: 'library/debian',
        tags: ['12'],
      });
    });
    expect(io.stderrText()).toMatch(/^listening on .+\n$/);
  });

  test('archives and folders are served as one', async () => {
    const path = writeTar(
      layoutMembers([{ image: makeImage(), fullName: 'docker.io/library/debian:12' }]),
    );
    const folder = temporaryFolder('served');
    const layout = await openLayout(join(folder, 'builds'), { create: true });
    await makeImage({ seed: 2 }).pushAll(layout, 'v1');
    await served(folder, [path, 'oci:builds'], async (url) => {
      expect(await answers(`${url}/v2/_catalog`)).toEqual({
        repositories: ['builds', 'library/debian'],
      });
    });
    await served(folder, ['builds', 'builds', '--listen', '0.0.0.0:0'], async (url) => {
      expect(await answers(`${url}/v2/builds/tags/list`)).toEqual({ name: 'builds', tags: ['v1'] });
    });
  });

  test('an archive needs no guard on an open address, because it cannot be written to', async () => {
    const path = writeTar(layoutMembers([{ image: makeImage(), refName: '12' }]));
    await served(dirname(path), [basename(path), '--listen', '0.0.0.0:0']);
  });

  test('warns of layers that an incremental archive leaves out, unless the earlier archive is served too', async () => {
    const image = makeImage();
    const [layer] = image.layers;
    const record = {
      regi: 'omitted',
      version: 1,
      blobs: [{ digest: layer?.digest, size: layer?.size, repositories: [] }],
    };
    const delta = writeTar([
      ...layoutMembers([{ image, refName: '2' }], layer === undefined ? [] : [layer.digest]),
      json('regi-omitted.json', record),
    ]);
    const base = writeTar(layoutMembers([{ image, refName: '1' }]));
    expect((await served('/', [delta])).stderrText()).toContain('warning: 1 layer (');
    expect((await served('/', [base, delta])).stderrText()).toMatch(/^listening on .+\n$/);
  });

  test('exits 0 on a signal', async () => {
    const io = await served(temporaryFolder('serve'), ['oci:dir']);
    expect(io.stderrText()).toMatch(
      /^created a new image layout in ".+\/dir"\nlistening on http:\/\/127\.0\.0\.1:\d+\n$/,
    );
  });

  test.each([[[]], [['local:']]])('%j serves the local store by repository path', async (args) => {
    const local = localImages();
    await local.keep(makeImage(), 'nginx:1.27');
    await local.keep(makeImage({ seed: 2 }), 'registry.example:5000/gallery/ui:v1');
    const ask = async (url: string): Promise<void> => {
      expect(await answers(`${url}/v2/_catalog`)).toEqual({
        repositories: ['gallery/ui', 'library/nginx'],
      });
      expect(await answers(`${url}/v2/gallery/ui/tags/list`)).toEqual({
        name: 'gallery/ui',
        tags: ['v1'],
      });
    };
    const io = await served('/', args, ask, { REGI_DATA: local.folder });
    expect(io.stderrText()).toMatch(/^listening on .+\n$/);
  });

  test('content pushed to the local store survives a prune by another regi', async () => {
    const local = localImages();
    const [kept, pushed] = [makeImage(), makeImage({ annotations: { note: 'the same layers' } })];
    await local.keep(kept, 'app:1');
    const ask = async (url: string): Promise<void> => {
      const { descriptor, bytes } = rootOf(pushed);
      const headers = { 'content-type': descriptor.mediaType };
      expect(
        (
          await sendRaw(url, {
            method: 'PUT',
            path: '/v2/team/app/manifests/2',
            headers,
            body: bytes,
          })
        ).status,
      ).toBe(201);
      expect((await local.run(['rmi', 'app:1'])).status).toBe(0);
      expect((await local.run(['verify', 'local:'])).io.stdoutText()).toContain(
        'local: whole: 1 image, 4 manifests and blobs',
      );
    };
    await served('/', [], ask, { REGI_DATA: local.folder });
    expect([await local.names(), leftovers(local.folder)]).toEqual([['localhost/team/app:2'], []]);
  });
});
