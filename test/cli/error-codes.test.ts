import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { EXIT_STATUS, type ErrorCode, InterruptedError } from '../../src/errors.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import {
  startFakeRegistry,
  type FakeRegistryOptions,
} from '../support/registries/fake-registry.ts';
import { expectGolden } from '../support/golden.ts';
import { makeImage } from '../support/images/images.ts';
import { tinyLayout } from '../support/images/tiny-layout.ts';
import { runMain, type RunMainOptions } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * Provokes an error. In `argv`, REGISTRY is a registry with `team/app:1`, and LAYOUT an image in a
 * layout.
 */
interface Case {
  readonly argv: readonly string[];
  /** Options of the registry. */
  readonly registry?: FakeRegistryOptions;
  readonly run?: RunMainOptions;
  /** Files by path: below `home/`, below `layout/`, else below the working folder. */
  readonly files?: Readonly<Record<string, string>>;
}

const image = makeImage();

function responses(
  status: number,
  code: string,
  message: string,
  match: { method?: string; path?: RegExp } = {},
): FakeRegistryOptions {
  const body = JSON.stringify({ errors: [{ code, message }] });
  return {
    faults: [
      {
        match,
        times: 99,
        action: { kind: 'respond', status, headers: { 'content-type': 'application/json' }, body },
      },
    ],
  };
}

const interrupted = AbortSignal.abort(new InterruptedError('SIGINT'));

/** One case per code: a new code does not compile without one. */
const CASES = {
  FAILED: {
    argv: ['delete', `REGISTRY/team/app@${image.root.digest}`],
    run: { isTTY: true, typed: ['n'] },
  },
  REFUSED: {
    argv: ['delete', '--yes', `REGISTRY/team/app@${image.root.digest}`],
    registry: responses(405, 'UNSUPPORTED', 'The operation is unsupported.', { method: 'DELETE' }),
  },
  UNSUPPORTED: { argv: ['repos', 'list', 'docker.io'] },
  ALREADY_EXISTS: { argv: ['copy', '--no-clobber', 'LAYOUT', 'REGISTRY/team/app:1'] },
  STORAGE_FAILED: {
    argv: ['copy', '--digestfile', 'nowhere/digests', 'LAYOUT', 'REGISTRY/team/app:2'],
  },
  LOCKED: { argv: ['tags', 'delete', 'LAYOUT'], files: { 'layout/.regi.lock': 'held' } },
  USAGE: { argv: ['cpoy', 'REGISTRY/team/app:1', 'LAYOUT'] },
  INVALID_REFERENCE: { argv: ['inspect', 'REGISTRY/Team/App:1'] },
  INVALID_DIGEST: { argv: ['digest', 'REGISTRY/team/app:1', '--expect', 'sha256:abc'] },
  INVALID_PLATFORM: { argv: ['copy', '--platform', 'linux/*', 'REGISTRY/team/app:1', 'LAYOUT'] },
  INVALID_CONFIG: {
    argv: ['digest', 'REGISTRY/team/app:1'],
    registry: { auth: { kind: 'basic', users: {} } },
    files: { 'home/.docker/config.json': '{"auths":' },
  },
  NOT_FOUND: { argv: ['digest', 'REGISTRY/team/app:2'] },
  NOT_AUTHORISED: {
    argv: ['digest', 'REGISTRY/team/app:1'],
    registry: { auth: { kind: 'basic', users: {} } },
  },
  UNSAFE_REALM: {
    argv: ['digest', '--tls-skip-verify', 'REGISTRY', 'REGISTRY/team/app:1'],
    registry: { tls: certificate(), auth: { kind: 'bearer', realm: 'http://auth.example/token' } },
  },
  UNSAFE_REDIRECT: {
    argv: ['inspect', 'REGISTRY/team/app:1'],
    registry: {
      faults: [
        {
          match: { path: /blobs/ },
          times: 99,
          action: { kind: 'redirect', to: 'ftp://storage.example/blob' },
        },
      ],
    },
  },
  INVALID_RESPONSE: {
    argv: ['digest', 'REGISTRY/team/app:1'],
    registry: {
      faults: [
        {
          match: {},
          times: 99,
          action: {
            kind: 'respond',
            status: 200,
            headers: { 'content-type': 'text/html' },
            body: '<title>Sign in</title>',
          },
        },
      ],
    },
  },
  NETWORK: { argv: ['digest', '127.0.0.1:1/team/app:1'] },
  SERVER_FAILED: {
    argv: ['digest', 'REGISTRY/team/app:1'],
    registry: responses(503, 'UNAVAILABLE', 'storage is down'),
  },
  TIMEOUT: {
    argv: ['digest', '--timeout', '0.1', '--retry', '0', 'REGISTRY/team/app:1'],
    registry: { faults: [{ match: {}, times: 99, action: { kind: 'stall' } }] },
  },
  TLS: { argv: ['digest', 'REGISTRY/team/app:1'], registry: { tls: certificate() } },
  RATE_LIMITED: {
    argv: ['digest', '--retry', '1', 'REGISTRY/team/app:1'],
    registry: responses(429, 'TOOMANYREQUESTS', 'You have reached your pull rate limit.'),
  },
  CONTENT_MISMATCH: {
    argv: ['inspect', 'REGISTRY/team/app:1'],
    registry: {
      faults: [{ match: { method: 'GET', path: /blobs/ }, times: 99, action: { kind: 'corrupt' } }],
    },
  },
  INVALID_MANIFEST: {
    argv: ['inspect', 'oci:odd'],
    files: {
      'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
      'odd/oci-layout': '{"imageLayoutVersion":"1.0.0"}',
      'odd/index.json': '[]',
    },
  },
  INVALID_ARCHIVE: {
    argv: ['inspect', 'archive:image.tar'],
    files: { 'image.tar': 'no tar at all' },
  },
  LIMIT_EXCEEDED: {
    argv: ['tags', 'list', 'REGISTRY/team/app'],
    registry: {
      faults: [
        {
          match: { path: /tags/ },
          times: 99,
          action: { kind: 'replace-body', body: ' '.repeat(9_000_000) },
        },
      ],
    },
  },
  PARTIAL_FAILURE: {
    argv: ['copy', '--keep-going', '--from', 'list'],
    files: {
      list: 'REGISTRY/team/app:1 REGISTRY/mirror/app:1\nREGISTRY/team/app:2 REGISTRY/mirror/app:2\n',
    },
  },
  POLICY_REFUSED: {
    argv: ['verify', '--signatures', '--key', 'cosign.pub', 'REGISTRY/team/app:1'],
    files: {
      'cosign.pub': readFileSync(
        fileURLToPath(new URL('../tables/trust/keys/p256.pub', import.meta.url)),
        'utf8',
      ),
    },
  },
  INTERRUPTED: { argv: ['copy', 'LAYOUT', 'REGISTRY/team/app:2'], run: { signal: interrupted } },
} as const satisfies Readonly<Record<ErrorCode, Case>>;

function certificate(): { readonly cert: string; readonly key: string } {
  const { cert, key } = makeCertificates({ hosts: ['127.0.0.1'] });
  return { cert, key };
}

describe('errors', () => {
  test.each(Object.entries<Case>(CASES))(
    '%s is reported in two lines, as JSON, and by its status',
    async (code, { argv, registry: options = {}, run = {}, files = {} }) => {
      const registry = await startFakeRegistry(options);
      await image.pushAll(registry.place.open('team/app'), '1');
      const layout = tinyLayout();
      const [home, cwd] = [temporaryFolder('home'), temporaryFolder('cwd')];
      const filled = (text: string): string =>
        text.replaceAll('REGISTRY', registry.host).replaceAll('LAYOUT', layout);
      for (const [path, text] of Object.entries(files)) {
        const [first = '', ...rest] = path.split('/');
        const file =
          first === 'home'
            ? join(home, ...rest)
            : first === 'layout'
              ? join(layout.slice('oci:'.length, -':1'.length), ...rest)
              : join(cwd, path);
        mkdirSync(join(file, '..'), { recursive: true });
        writeFileSync(file, filled(text));
      }

      const stable = (text: string): string =>
        text
          .replaceAll(registry.host, 'registry.test')
          .replaceAll(layout, 'oci:LAYOUT')
          .replaceAll(layout.slice('oci:'.length, -':1'.length), 'LAYOUT')
          .replaceAll(home, '/home/somebody')
          .replaceAll(cwd, '/folder')
          .replace(/in \d+\.\d s/g, 'in 0.1 s');
      const words = argv.map(filled);
      const plain = await runMain(words, { home, cwd, ...run });
      const json = await runMain([...words, '--json'], { home, cwd, ...run });
      const last = json.stderr.trimEnd().split('\n').at(-1) ?? '';

      expect({ plain: plain.status, json: json.status }).toEqual({
        plain: EXIT_STATUS[code as ErrorCode],
        json: EXIT_STATUS[code as ErrorCode],
      });
      expect(JSON.parse(last)).toMatchObject({ error: { code } });
      expect(plain.stderr).toMatch(
        code === 'INTERRUPTED'
          ? /^regi: Interrupted by SIGINT\n$/m
          : /^regi: [A-Z].*[^.]\n {2}\S.*\n$/m,
      );
      expectGolden(
        `test/golden/errors/${code}.txt`,
        stable(
          `$ regi ${words.join(' ')}\n${plain.stderr}exit status ${plain.status}\n\n${last}\n`,
        ),
      );
    },
  );
});
