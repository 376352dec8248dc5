import { gzipSync } from 'node:zlib';

import { beforeAll, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { toDescriptorJson } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { startHttpServer } from '../support/http/http-server.ts';
import { nodeOf } from '../support/images/images.ts';
import { runMain, type MainResult } from '../support/cli/run-main.ts';
import { buildTar } from '../support/images/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * Clears the screen, sets the title, asks the terminal to type, turns text around, hides it, breaks
 * lines, and half a pair.
 */
const HOSTILE =
  '\u001b[2J\u001b]0;title\u0007\u001bP\u009b31m\u202egpj.exe\u2066\u200b\u00ad\u0085\u2028\u0008\rover\u007f';

/**
 * What must not reach a terminal raw: controls but line feed and tab, and marks that turn or hide
 * text.
 */
const STEERING =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** An image in which every text that its maker chose steers a terminal. */
async function pushHostileImage(registry: FakeRegistry): Promise<void> {
  const store = registry.place.open('app');
  const tar = buildTar([
    { name: `etc/${HOSTILE.replaceAll('\u0000', '')}`, content: HOSTILE },
    { name: 'motd', content: HOSTILE },
  ]);
  const layer = nodeOf('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar));
  const config = nodeOf(
    MEDIA_TYPE.ociConfig,
    encode({
      architecture: 'amd64',
      os: 'linux',
      created: HOSTILE,
      author: HOSTILE,
      config: {
        Env: [`PATH=${HOSTILE}`],
        Entrypoint: [HOSTILE],
        Cmd: [HOSTILE],
        User: HOSTILE,
        WorkingDir: HOSTILE,
        Labels: { [HOSTILE]: HOSTILE },
      },
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
      history: [{ created: HOSTILE, created_by: HOSTILE, comment: HOSTILE, author: HOSTILE }],
    }),
  );
  const manifest = nodeOf(
    MEDIA_TYPE.ociManifest,
    encode({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: toDescriptorJson(config.descriptor),
      layers: [toDescriptorJson({ ...layer.descriptor, annotations: { [HOSTILE]: HOSTILE } })],
      annotations: { [HOSTILE]: HOSTILE, 'org.opencontainers.image.title': HOSTILE },
    }),
  );
  const sbom = nodeOf(
    MEDIA_TYPE.ociManifest,
    encode({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      artifactType: 'application/vnd.example.sbom',
      config: toDescriptorJson(config.descriptor),
      layers: [toDescriptorJson(layer.descriptor)],
      subject: toDescriptorJson(manifest.descriptor),
      annotations: { [HOSTILE]: HOSTILE },
    }),
  );
  for (const { descriptor, bytes } of [layer, config, manifest, sbom])
    await store.push(descriptor, bytesOf(bytes));
  await store.tag(manifest.descriptor, 'v1');
}

const COMMANDS: readonly (readonly [name: string, argv: (image: string) => readonly string[]])[] = [
  ['inspect', (image) => ['inspect', image]],
  ['inspect --raw', (image) => ['inspect', '--raw', image]],
  ['inspect --config', (image) => ['inspect', '--config', image]],
  ['inspect --format', (image) => ['inspect', '--format', '{{.Config.Labels}} {{json .}}', image]],
  ['history', (image) => ['history', image]],
  ['config', (image) => ['config', image]],
  ['manifest get', (image) => ['manifest', 'get', image]],
  ['files', (image) => ['files', image]],
  ['files -l', (image) => ['files', '-l', image]],
  ['files PATH', (image) => ['files', image, 'etc']],
  ['cat', (image) => ['cat', image, 'motd']],
  ['diff', (image) => ['diff', image, image]],
  ['referrers', (image) => ['referrers', image]],
  ['verify', (image) => ['verify', image]],
  ['verify --deep', (image) => ['verify', '--deep', image]],
  ['copy', (image) => ['copy', image, 'oci:out:v1']],
  ['pull', (image) => ['pull', image]],
  ['export', (image) => ['export', image, '-o', 'out.tar']],
  ['digest', (image) => ['digest', image]],
];

function raw({ stdout, stderr }: MainResult): readonly (string | undefined)[] {
  // The live view's own escapes are its own; what it shows of others is what is looked for, so it
  // is off.
  return [stdout, stderr].flatMap((text) => STEERING.exec(text) ?? []);
}

describe('an image with control characters in every text', () => {
  let image: string;
  beforeAll(async () => {
    const registry = await startFakeRegistry();
    await pushHostileImage(registry);
    image = `${registry.host}/app:v1`;
  });

  test.each(COMMANDS)('%s shows none of them raw', async (_, argv) => {
    for (const flags of [[], ['-v'], ['--json']]) {
      const result = await runMain(
        [...argv(image), '--progress', 'plain', '--color', 'never', ...flags],
        { isTTY: true, columns: 200 },
      );
      expect({ flags, raw: raw(result) }).toEqual({ flags, raw: [] });
      // What fails early shows nothing, and proves nothing.
      if (!flags.includes('--json')) expect(result.status, result.stderr).toBe(0);
    }
  });

  test('images and rmi show none of them raw from the local store', async () => {
    const home = temporaryFolder('home');
    const cwd = temporaryFolder('cwd');
    const results = [];
    for (const argv of [
      ['pull', image],
      ['images'],
      ['images', '--json'],
      ['rmi', image],
      ['prune'],
    ]) {
      results.push(
        await runMain([...argv, '--progress', 'plain', '--color', 'never'], {
          isTTY: true,
          home,
          cwd,
        }),
      );
    }
    expect(results.flatMap(raw)).toEqual([]);
  });
});

const ALL_COMMANDS: readonly (readonly [
  name: string,
  argv: (host: string) => readonly string[],
])[] = [
  ...COMMANDS.map(([name, argv]) => [name, (host: string) => argv(`${host}/app:v1`)] as const),
  ['tags list', (host) => ['tags', 'list', `${host}/app`]],
  ['repos list', (host) => ['repos', 'list', host]],
  ['tags delete', (host) => ['tags', 'delete', `${host}/app:v1`]],
  ['delete', (host) => ['delete', '--yes', `${host}/app@sha256:${'0'.repeat(64)}`]],
  ['login', (host) => ['login', host, '-u', 'u', '--password-stdin']],
  ['doctor', (host) => ['doctor', host]],
  ['tag', (host) => ['tag', `${host}/app:v1`, 'v2']],
  ['blob get', (host) => ['blob', 'get', `${host}/app@sha256:${'0'.repeat(64)}`, '-o', 'blob']],
];

describe.each([400, 401, 403, 404, 429, 500, 200])(
  'a registry that responds to everything with %i and control characters',
  (status) => {
    let host: string;
    beforeAll(async () => {
      const text = `x${HOSTILE}`;
      const { origin } = await startHttpServer((_request, response) => {
        response.writeHead(status, {
          'content-type': 'application/json',
          ...(status === 401 && { 'www-authenticate': 'Odd\u009b realm="\u009b31m"' }),
          warning: '299 - "careful \u009b2J"',
          'x-other': '\u009b',
        });
        response.end(
          JSON.stringify({
            errors: [{ code: text, message: text }],
            tags: [text],
            repositories: [text],
            name: text,
          }),
        );
      });
      host = origin.replace('http://', '');
    });

    test.each(ALL_COMMANDS)('%s shows none of them raw', async (_, argv) => {
      for (const flags of [[], ['-vv'], ['--json']]) {
        const result = await runMain(
          [...argv(host), '--retry', '0', '--progress', 'plain', '--color', 'never', ...flags],
          { isTTY: true, stdin: 'secret' },
        );
        expect({ flags, raw: raw(result) }).toEqual({ flags, raw: [] });
      }
    });
  },
);
