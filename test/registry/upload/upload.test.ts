import { describe, expect, test } from 'vitest';
import { bytesOf } from '../../../src/bytes.ts';
import { NetworkError } from '../../../src/http/errors.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { uploadBlob } from '../../../src/registry/upload/upload.ts';
import { testRepository } from '../../support/http/registry-connection.ts';
import { bytes, target, cut, registry, first } from '../../support/registries/struck-uploads.ts';

describe('uploadBlob() in one request', () => {
  test('sends one POST and one PUT', async () => {
    const { repository, steps, kept, requests } = registry();
    await uploadBlob(repository, target, bytesOf(bytes));
    expect([steps, [...kept]]).toEqual([['POST', 'PUT'], [target.digest]]);
    expect(requests[1]?.headers).toEqual({ 'content-type': 'application/octet-stream' });
  });

  test('adds the digest to the query of the location and keeps the rest', async () => {
    const { repository, requests } = registry();
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(requests[1]?.url.search).toBe(
      `?_state=0%2F&digest=${encodeURIComponent(target.digest)}`,
    );
  });

  test('uploads an empty blob', async () => {
    const empty = new Uint8Array();
    const { repository, kept } = registry();
    await uploadBlob(
      repository,
      { mediaType: 'x', digest: digestOf(empty), size: 0 },
      bytesOf(empty),
    );
    expect([...kept]).toEqual([digestOf(empty)]);
  });

  test('fails when the registry states another digest', async () => {
    const found = digestOf(new Uint8Array(1));
    const { repository } = registry(
      first('PUT', () => ({ status: 201, headers: { 'docker-content-digest': found } })),
    );
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      message: expect.stringContaining(`found ${found}`) as string,
    });
  });

  test('B11: says which registry directs uploads to a place that cannot be reached', async () => {
    const { repository } = registry(({ method }) => {
      if (method === 'POST')
        return { status: 202, headers: { location: 'https://registry.example:444/x' } };
      throw new NetworkError('Cannot connect to "registry.example:444": connection refused', {
        phase: 'connect',
        reason: 'ECONNREFUSED',
      });
    });
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining(
        '"registry.example" directs uploads to "https://registry.example:444": Cannot connect',
      ) as string,
    });
  });

  test('B13: a registry without chunks says so', async () => {
    const { repository } = registry(
      first('PATCH', () => ({ status: 405 })),
      { chunkSize: 400 },
    );
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'REFUSED',
      hint: expect.stringContaining('omit --chunk-size') as string,
    });
  });

  test('fails without a Location', async () => {
    const { repository } = registry(first('POST', () => ({ status: 202 })));
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
      message: expect.stringContaining('Location'),
    });
  });

  test('sends nothing by http when the registry uses https', async () => {
    const { repository, requests } = registry(
      first('POST', () => ({ status: 202, headers: { location: 'http://evil.example/u' } })),
    );
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
    });
    expect(requests).toHaveLength(1);
  });
});

describe('uploadBlob() in chunks', () => {
  test('sends them in order, each to the location of the last response', async () => {
    const { repository, steps, kept } = registry(undefined, { chunkSize: 400 });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps).toEqual(['POST', 'PATCH 0-399', 'PATCH 400-799', 'PATCH 800-999', 'PUT']);
    expect(kept).toContain(target.digest);
  });

  test('sends the length of each', async () => {
    const { repository, requests } = registry(undefined, { chunkSize: 400 });
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(
      requests.map(({ body }) => (body instanceof Uint8Array ? body.byteLength : body?.size)),
    ).toEqual([0, 400, 400, 200, 0]);
  });

  test("have at least the registry's minimum size", async () => {
    const { repository, steps } = registry(
      first('POST', () => ({
        status: 202,
        headers: { location: '/v2/team/app/blobs/uploads/x', 'oci-chunk-min-length': '600' },
      })),
      { chunkSize: 400, retries: 0 },
    );
    await expect(uploadBlob(repository, target, bytesOf(bytes))).rejects.toThrow();
    expect(steps[1]).toBe('PATCH 0-599');
  });

  test('begin when one request is too large for a proxy, and stay for later blobs', async () => {
    const { repository, steps } = registry((_, body) =>
      body.byteLength > 200_000 ? { status: 413, body: '<html>' } : undefined,
    );
    const large = new Uint8Array(400_000);
    const blob = { mediaType: 'x', digest: digestOf(large), size: large.byteLength };
    await uploadBlob(repository, blob, bytesOf(large));
    await uploadBlob(repository, blob, bytesOf(large));
    const chunks = ['POST', 'PATCH 0-199999', 'PATCH 200000-399999', 'PUT'];
    expect(steps).toEqual(['POST', 'PUT', 'DELETE', ...chunks, ...chunks]);
  });

  test('B10: begin at once when ghcr.io says with 416 that one request is too large', async () => {
    const error = { code: 'UNKNOWN', message: 'request body is too large' };
    const { repository, steps, clock } = registry((_, body) =>
      body.byteLength > 200_000 ? { status: 416, body: { errors: [error] } } : undefined,
    );
    const large = new Uint8Array(400_000);
    const blob = { mediaType: 'x', digest: digestOf(large), size: large.byteLength };
    await uploadBlob(repository, blob, bytesOf(large));
    const chunks = ['POST', 'PATCH 0-199999', 'PATCH 200000-399999', 'PUT'];
    expect(steps).toEqual(['POST', 'PUT', 'DELETE', ...chunks]);
    expect(clock.sleeps).toEqual([]);
  });

  test('B10: are tried after one request was cut twice', async () => {
    const { repository, steps } = registry(
      first(
        'PUT',
        () => {
          throw cut;
        },
        2,
      ),
    );
    const large = new Uint8Array(400_000);
    const blob = { mediaType: 'x', digest: digestOf(large), size: large.byteLength };
    await uploadBlob(repository, blob, bytesOf(large));
    const chunks = ['POST', 'PATCH 0-199999', 'PATCH 200000-399999', 'PUT'];
    expect(steps.filter((step) => step.startsWith('P'))).toEqual([
      'POST',
      'PUT',
      'POST',
      'PUT',
      ...chunks,
    ]);
  });

  test('end with the refusal when even small ones are too large', async () => {
    const { repository, open } = registry((_, body) =>
      body.byteLength > 0 ? { status: 413 } : undefined,
    );
    const large = new Uint8Array(400_000);
    await expect(
      uploadBlob(
        repository,
        { mediaType: 'x', digest: digestOf(large), size: large.byteLength },
        bytesOf(large),
      ),
    ).rejects.toMatchObject({
      status: 413,
    });
    expect(open.size).toBe(0);
  });

  /** ECR answers 201, and its Range stays at the end of the first chunk. */
  test('do not trust the Range of the responses', async () => {
    const fake = registry(undefined, { chunkSize: 400 });
    const { send } = fake;
    const repository = testRepository(
      async (request) => {
        const response = await send(request);
        return request.method === 'PATCH'
          ? {
              ...response,
              status: 201,
              headers: {
                ...response.headers,
                get: (name) => (name === 'range' ? '0-399' : response.headers.get(name)),
              },
            }
          : response;
      },
      { chunkSize: 400 },
    );
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(fake.kept).toContain(target.digest);
  });

  test('start again as a whole when the first of them is cut', async () => {
    const { repository, steps, kept } = registry(
      first('PATCH', () => {
        throw cut;
      }),
      { chunkSize: 600 },
    );
    await uploadBlob(repository, target, bytesOf(bytes));
    expect(steps).toEqual([
      'POST',
      'PATCH 0-599',
      'GET',
      'DELETE',
      'POST',
      'PATCH 0-599',
      'PATCH 600-999',
      'PUT',
    ]);
    expect(kept).toContain(target.digest);
  });

  test('leave no blob when the content does not match its descriptor', async () => {
    const { repository, kept, open } = registry(undefined, { chunkSize: 400 });
    await expect(
      uploadBlob(repository, target, bytesOf(new Uint8Array(1000))),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect([kept.size, open.size]).toEqual([0, 0]);
  });
});
