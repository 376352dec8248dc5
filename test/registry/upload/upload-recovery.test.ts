import { describe, expect, test } from 'vitest';
import { bytesOf, seekable } from '../../../src/bytes.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { uploadBlob } from '../../../src/registry/upload/upload.ts';
import type { Bytes } from '../../../src/store.ts';
import { poisoned } from '../../support/images/poison.ts';
import { testRepository } from '../../support/http/registry-connection.ts';
import type { Interfere } from '../../support/registries/upload-registry.ts';
import { watched } from '../../support/registries/watched.ts';
import { bytes, target, cut, registry, first } from '../../support/registries/struck-uploads.ts';

describe('uploadBlob() after a failure', () => {
  test.each([
    [
      'the connection is cut',
      () => {
        throw cut;
      },
    ],
    ['the registry fails', () => ({ status: 500 })],
    [
      'the session is lost',
      () => ({ status: 404, body: { errors: [{ code: 'BLOB_UPLOAD_INVALID' }] } }),
    ],
    ['the session is lost and nothing more is said', () => ({ status: 404 })],
    [
      'the registry reads other bytes',
      () => ({ status: 400, body: { errors: [{ code: 'DIGEST_INVALID' }] } }),
    ],
  ] satisfies readonly [string, () => ReturnType<Interfere>][])(
    'starts the blob again when %s',
    async (_, answer) => {
      const { repository, kept, open } = registry(first('PUT', answer));
      await uploadBlob(repository, target, bytesOf(bytes));
      expect(kept).toContain(target.digest);
      expect(open.size).toBeLessThanOrEqual(1);
    },
  );

  test('deletes the session before it restarts', async () => {
    const { repository, steps, open } = registry(first('PUT', () => ({ status: 503 })));
    await uploadBlob(repository, target, bytesOf(bytes));
    expect([steps, open.size]).toEqual([
      ['POST', 'PUT', 'HEAD', 'GET', 'DELETE', 'POST', 'PUT'],
      0,
    ]);
  });

  test('gives up when no retry is left', async () => {
    const { repository, steps } = registry(first('PUT', () => ({ status: 500 }), 99));
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'SERVER_FAILED',
    });
    expect(steps.filter((step) => step === 'PUT')).toHaveLength(3);
  });

  test('waits as long as the registry asks', async () => {
    const { repository, clock } = registry(
      first('PUT', () => ({ status: 429, headers: { 'retry-after': '7' } })),
    );
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(clock.sleeps).toEqual([7000]);
  });

  test('sends no other request to a registry that limits requests', async () => {
    const { repository, steps, kept } = registry(first('PUT', () => ({ status: 429 }), 2));
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps).toEqual(['POST', 'PUT', 'PUT', 'PUT']);
    expect(kept).toContain(target.digest);
  });

  test('does not give up while the registry lets other requests through', async () => {
    let others = 0;
    const made = registry(({ method }) => {
      if (method !== 'PUT' || others === 20) return undefined;
      others += 1;
      made.repository.connection.admissions.note('https://registry.example', 200);
      return { status: 429 };
    });
    await uploadBlob(made.repository, target, bytesOf(bytes));
    expect(made.kept).toContain(target.digest);
  });

  test('does not wait for an hour', async () => {
    const { repository } = registry(
      first('PUT', () => ({ status: 429, headers: { 'retry-after': '3600' } })),
    );
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'RATE_LIMITED',
    });
  });

  test.each([
    [405, 'REFUSED'],
    [409, 'REFUSED'],
  ])('fails immediately on %i', async (status, code) => {
    const { repository, steps } = registry(first('PUT', () => ({ status })));
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({ code });
    expect(steps).toEqual(['POST', 'PUT', 'HEAD', 'DELETE']);
  });

  test.each([
    [400, { errors: [{ code: 'BLOB_UPLOAD_INVALID', message: 'cannot be updated' }] }],
    [409, undefined],
    [404, { errors: [{ code: 'BLOB_UPLOAD_UNKNOWN' }] }],
    [200, undefined],
  ])(
    'B19: is done after a final response of %i when the registry has exactly that blob',
    async (status, body) => {
      const { repository, steps } = registry(({ method }) => {
        if (method === 'HEAD') return { status: 200, headers: { 'content-length': '1000' } };
        return method === 'PUT' ? { status, ...(body && { body }) } : undefined;
      });
      await uploadBlob(repository, target, bytesOf(bytes));
      expect(steps).toEqual(['POST', 'PUT', 'HEAD']);
    },
  );

  test('B19: takes no health page of a proxy for a stored blob', async () => {
    const { repository } = registry(({ method }) =>
      method === 'POST' ? undefined : { status: 200, body: 'ok' },
    );
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
      message: expect.stringContaining('expected status 201, found 200') as string,
    });
  });

  test('fails with the error of the content, and deletes the session', async () => {
    const error = new Error('disk');
    const broken: Bytes = {
      async *[Symbol.asyncIterator]() {
        yield bytes.subarray(0, 10);
        throw error;
      },
    };
    const { repository, steps, open } = registry();
    await expect(uploadBlob(repository, target, broken)).rejects.toBe(error);
    expect([steps, open.size]).toEqual([['POST', 'DELETE'], 0]);
  });

  test('leaves no blob when the content does not match its descriptor', async () => {
    const { repository, kept, open } = registry();
    await expect(
      uploadBlob(repository, target, bytesOf(new Uint8Array(1000))),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect([kept.size, open.size]).toEqual([0, 0]);
  });

  test('deletes the session when the signal aborts, and rejects with its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const { repository, open } = registry((request) => {
      if (request.method === 'PUT') controller.abort(reason);
      return undefined;
    });
    await expect(
      uploadBlob(repository, target, bytesOf(bytes), { signal: controller.signal }),
    ).rejects.toBe(reason);
    expect(open.size).toBe(0);
  });

  test('fails with its own error when the session cannot be deleted', async () => {
    const { repository } = registry((request) => {
      if (request.method === 'PUT') return { status: 409 };
      if (request.method === 'DELETE') throw cut;
      return undefined;
    });
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      status: 409,
    });
  });

  test('opens content once for each attempt, and closes it', async () => {
    const { content, opened, closed } = watched(bytesOf(bytes));
    await uploadBlob(registry(first('PUT', () => ({ status: 500 }))).repository, target, content);
    expect([opened(), closed()]).toEqual([2, 2]);
  });
});

describe('uploadBlob() to a registry that keeps sessions', () => {
  /** Cuts the first requests of a method, each after the given number of bytes. */
  function cutAfter(method: string, kept: readonly number[]): Interfere {
    const left = [...kept];
    return (request, _body, keep) => {
      const bytes = request.method === method ? left.shift() : undefined;
      if (bytes === undefined) return undefined;
      keep(bytes);
      throw cut;
    };
  }

  test("resumes behind the registry's bytes", async () => {
    const { repository, steps, kept } = registry(cutAfter('PUT', [300]));
    await uploadBlob(repository, target, bytesOf(bytes));
    expect([steps, [...kept]]).toEqual([
      ['POST', 'PUT', 'GET', 'PATCH 300-999', 'PUT'],
      [target.digest],
    ]);
  });

  test('resumes at the next chunk after a cut one', async () => {
    const { repository, steps, kept } = registry(cutAfter('PATCH', [400]), { chunkSize: 400 });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps).toEqual(['POST', 'PATCH 0-399', 'GET', 'PATCH 400-799', 'PATCH 800-999', 'PUT']);
    expect(kept).toContain(target.digest);
  });

  test('survives more cuts than retries while bytes arrive', async () => {
    const { repository, kept } = registry(
      (request, _body, keep) => {
        if (request.method !== 'PATCH' && request.method !== 'PUT') return undefined;
        if (
          Number(/^\d+/.exec(request.headers?.['content-range'] ?? '0')) >= 900 ||
          request.body === undefined
        )
          return undefined;
        if (request.body instanceof Uint8Array) return undefined;
        keep(100);
        throw cut;
      },
      { retries: 1 },
    );
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(kept).toContain(target.digest);
  });

  test('reads at most the content between two marks again', async () => {
    const large = new Uint8Array(1_000_000).map((_, index) => index % 251);
    const blob = { mediaType: 'x', digest: digestOf(large), size: large.byteLength };
    const opened: number[] = [];
    const content = seekable((position) => {
      opened.push(position);
      return poisoned(large.subarray(position), { chunkSize: 10_000 });
    });
    const { repository, kept } = registry(cutAfter('PUT', [700_000]));
    await uploadBlob(repository, blob, content);
    expect(kept).toContain(blob.digest);
    expect(opened).toHaveLength(2);
    expect(opened[1]).toBeGreaterThan(700_000 - 80_000);
    expect(opened[1]).toBeLessThanOrEqual(700_000);
  });

  test('sends nothing again when only the response was lost', async () => {
    const { send, steps, kept } = registry();
    let lost = 1;
    const repository = testRepository(async (request) => {
      const response = await send(request);
      if (request.method === 'PUT' && lost-- > 0) throw cut;
      return response;
    });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect([steps, [...kept]]).toEqual([['POST', 'PUT', 'GET', 'HEAD'], [target.digest]]);
  });

  test.each([
    ['more than it was given', '0-4999'],
    ['what cannot be read', 'a lot'],
    ['nothing', '0--1'],
    ['one byte or none', '0-0'],
    ['a range that does not begin at the first byte', '5-9'],
  ])('restarts when it claims to have %s', async (_, range) => {
    const cuts = cutAfter('PUT', [0]);
    const { repository, steps, open, kept } = registry((request, body, keep) =>
      request.method === 'GET' ? { status: 204, headers: { range } } : cuts(request, body, keep),
    );
    await uploadBlob(repository, target, bytesOf(bytes));
    expect([steps, open.size]).toEqual([['POST', 'PUT', 'GET', 'DELETE', 'POST', 'PUT'], 0]);
    expect(kept).toContain(target.digest);
  });

  /** Quay counts one byte too many, says `bytes=`, and names no Location. */
  test('restarts without another query when resuming fails', async () => {
    const cuts = cutAfter('PUT', [300, 0]);
    const { repository, steps, open, kept } = registry((request, body, keep) => {
      if (request.method === 'GET') return { status: 204, headers: { range: 'bytes=0-300' } };
      if (request.headers?.['content-range'] === '301-999') return { status: 416 };
      return cuts(request, body, keep);
    });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps).toEqual([
      'POST',
      'PUT',
      'GET',
      'PATCH 301-999',
      'HEAD',
      'DELETE',
      'POST',
      'PUT',
      'DELETE',
      'POST',
      'PUT',
    ]);
    expect([open.size, kept.has(target.digest)]).toEqual([0, true]);
  });

  test('never commits bytes that changed between two readings', async () => {
    const readings = [bytes, new Uint8Array(1000)];
    const { repository, kept, open } = registry(cutAfter('PUT', [300]));
    const content = seekable((position) => bytesOf((readings.shift() ?? bytes).subarray(position)));
    await expect(uploadBlob(repository, target, content)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    expect([kept.size, open.size]).toEqual([0, 0]);
  });

  test('proves all bytes when no byte is left to send', async () => {
    const { repository, steps, kept } = registry(cutAfter('PATCH', [500, 500]), { chunkSize: 500 });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps).toEqual(['POST', 'PATCH 0-499', 'GET', 'PATCH 500-999', 'GET', 'PUT']);
    expect(kept).toContain(target.digest);
  });

  test('sends no query when uploads are one request', async () => {
    const { repository, steps } = registry(cutAfter('PUT', [300]), {
      host: 'europe-docker.pkg.dev',
    });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps).toEqual(['POST', 'PUT', 'DELETE', 'POST', 'PUT']);
  });

  test('sends the rest in chunks when requests are limited', async () => {
    const { repository, steps } = registry(cutAfter('PATCH', [400]), { chunkSize: 400 });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps.filter((step) => step.startsWith('PATCH'))).toEqual([
      'PATCH 0-399',
      'PATCH 400-799',
      'PATCH 800-999',
    ]);
  });
});
