import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { NetworkError } from '../../../src/http/errors.ts';
import type { HttpRequest } from '../../../src/http/message.ts';
import type { UploadJournal } from '../../../src/registry/remote-repository.ts';
import { uploadBlob } from '../../../src/registry/upload/upload.ts';
import type { ConnectionOptions } from '../../../src/registry/connection.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { makeBlob } from '../../support/images/images.ts';
import { testRepository } from '../../support/http/registry-connection.ts';
import {
  uploadRegistry,
  type Interfere,
  type UploadRegistry,
} from '../../support/registries/upload-registry.ts';

const MIB = 1024 * 1024;
const { descriptor: target, bytes } = makeBlob(3 * MIB);
const cut = new NetworkError('cut', {
  phase: 'response',
  reason: 'ECONNRESET',
});

let remembered: Map<Digest, { readonly location: URL; readonly offset: number }>;
let registry: UploadRegistry;
let strike: Interfere;

/** What it remembers outlives a run, as its file does. */
const journal: UploadJournal = {
  find: async ({ digest }) => remembered.get(digest)?.location,
  write: async ({ digest }, location, offset) => void remembered.set(digest, { location, offset }),
  remove: async ({ digest }) => void remembered.delete(digest),
};

beforeEach(() => {
  remembered = new Map();
  strike = () => undefined;
  registry = uploadRegistry((request, body, keep) => strike(request, body, keep));
});

/** One run of a command. */
async function upload(
  content = bytes,
  options: Partial<ConnectionOptions> = {},
  signal?: AbortSignal,
): Promise<void> {
  const repository = {
    ...testRepository(registry.send, { retries: 0, ...options }),
    uploads: journal,
  };
  await uploadBlob(repository, target, bytesOf(content), { signal });
}

/** The steps of the run since the last call. */
function steps(): readonly string[] {
  return registry.steps.slice(before);
}

let before = 0;

/** A run that is killed when the registry has 2 MiB: nothing is cleaned up behind it. */
async function killedRun(kept = 2 * MIB): Promise<void> {
  strike = ({ method }, _, keep) => {
    if (method === 'POST') return undefined;
    if (method === 'PUT') keep(kept);
    throw cut;
  };
  await expect(upload()).rejects.toBe(cut);
  strike = () => undefined;
  before = registry.steps.length;
}

describe('uploadBlob() after a killed run', () => {
  test("resumes behind the registry's bytes, and forgets the upload when it is finished", async () => {
    await killedRun();
    await upload();
    expect(steps()).toEqual(['GET', `PATCH ${2 * MIB}-${3 * MIB - 1}`, 'PUT']);
    expect([registry.kept.has(target.digest), remembered.size]).toEqual([true, 0]);
  });

  test('proves all bytes, also those that it does not send', async () => {
    await killedRun();
    const others = new Uint8Array(bytes);
    others[0] = 255 - (others[0] ?? 0);
    await expect(upload(others)).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect([registry.kept.size, registry.open.size, remembered.size]).toEqual([0, 0, 0]);
  });

  test.each([
    ['has forgotten the upload', () => ({ status: 404 }), ['GET', 'POST', 'PUT']],
    [
      'does not say what it has',
      () => ({ status: 204, headers: { range: '0-0' } }),
      ['GET', 'DELETE', 'POST', 'PUT'],
    ],
    [
      'has more than there is',
      () => ({ status: 204, headers: { range: `0-${9 * MIB}` } }),
      ['GET', 'DELETE', 'POST', 'PUT'],
    ],
    ['fails', () => ({ status: 500 }), ['GET', 'DELETE', 'POST', 'PUT']],
  ] as const)('restarts when the registry %s', async (_, answer, expected) => {
    await killedRun();
    strike = ({ method }) => (method === 'GET' ? answer() : undefined);
    await upload();
    expect([steps(), registry.kept.has(target.digest), remembered.size]).toEqual([
      expected,
      true,
      0,
    ]);
  });

  test('restarts when the registry counts bytes that it does not have', async () => {
    await killedRun();
    strike = ({ method }) =>
      method === 'GET' ? { status: 204, headers: { range: `0-${2 * MIB}` } } : undefined;
    await upload(bytes, { retries: 1 });
    expect([registry.kept.has(target.digest), remembered.size]).toEqual([true, 0]);
    expect(steps().slice(-2)).toEqual(['POST', 'PUT']);
  });

  test('deletes the session of a refused mount when it has another', async () => {
    await killedRun();
    const repository = { ...testRepository(registry.send), uploads: journal };
    const url = new URL('https://registry.example/v2/team/app/blobs/uploads/9?_state=0%2F');
    await uploadBlob(repository, target, bytesOf(bytes), {
      session: { location: { url, reach: 'any' }, minimumChunk: 0 },
    });
    expect(steps().slice(0, 3)).toEqual(['GET', 'DELETE', `PATCH ${2 * MIB}-${3 * MIB - 1}`]);
  });
});

describe('uploadBlob() that fails', () => {
  /** The user interrupts it when the registry has this many bytes. */
  async function interrupt(kept: number, then: Interfere = () => undefined): Promise<void> {
    const controller = new AbortController();
    const reason = new Error('stop');
    strike = (request: HttpRequest, body, keep) => {
      if (request.method !== 'PUT') return then(request, body, keep);
      keep(kept);
      controller.abort(reason);
      throw reason;
    };
    await expect(upload(bytes, {}, controller.signal)).rejects.toBe(reason);
  }

  test("keeps the session and remembers the registry's bytes", async () => {
    await interrupt(2 * MIB);
    expect(registry.steps).toEqual(['POST', 'PUT', 'GET']);
    expect([registry.open.size, remembered.get(target.digest)?.offset]).toEqual([1, 2 * MIB]);
  });

  test('queries twice, because a registry notices the cut a moment later', async () => {
    let asked = 0;
    await interrupt(2 * MIB, ({ method }) =>
      method === 'GET' && (asked += 1) === 1
        ? { status: 204, headers: { range: '0-0' } }
        : undefined,
    );
    expect([registry.steps, remembered.size]).toEqual([['POST', 'PUT', 'GET', 'GET'], 1]);
  });

  test('forgets an upload that the registry has forgotten', async () => {
    await interrupt(2 * MIB, ({ method }) => (method === 'GET' ? { status: 404 } : undefined));
    expect([registry.steps, remembered.size]).toEqual([['POST', 'PUT', 'GET'], 0]);
  });

  test('deletes the session when the registry keeps no bytes', async () => {
    await interrupt(0);
    expect([registry.open.size, remembered.size]).toEqual([0, 0]);
  });

  test('keeps the session when the registry does not respond any more', async () => {
    await interrupt(2 * MIB, ({ method }) => {
      if (method === 'GET') throw cut;
      return undefined;
    });
    expect([registry.open.size, remembered.size]).toEqual([1, 1]);
  });

  test.each([403, 409])(
    'deletes the session when the registry refuses the blob (%i)',
    async (status) => {
      strike = ({ method }) => (method === 'PUT' ? { status } : undefined);
      await expect(upload()).rejects.toMatchObject({ status });
      expect([registry.open.size, remembered.size]).toEqual([0, 0]);
    },
  );
});

test('uploadBlob() does not remember a small blob', async () => {
  const small = makeBlob(1000);
  const seen: number[] = [];
  strike = () => void seen.push(remembered.size);
  const repository = { ...testRepository(registry.send), uploads: journal };
  await uploadBlob(repository, small.descriptor, bytesOf(small.bytes));
  expect(seen).toEqual([0, 0]);
});
