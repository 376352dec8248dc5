import { readdirSync } from 'node:fs';

import { beforeEach, describe, expect, test } from 'vitest';

import { openLayoutPlace } from '../../src/stores/layout/place.ts';
import {
  type Fault,
  startFakeRegistry,
  type FakeRegistry,
} from '../support/registries/fake-registry.ts';
import { instantClock, type InstantClock, realClock } from '../support/clock.ts';
import { makeBlob } from '../support/images/images.ts';
import { damagedBlobs, leftovers } from '../support/images/layout-folder.ts';
import { errorCodes, sendRaw, type RawResponse } from '../support/http/raw-request.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1024 * 1024;
const { descriptor, bytes } = makeBlob(3 * MIB);
const CUT_AT = 2 * MIB + 5;

let folder: string;
let clock: InstantClock;
let registry: FakeRegistry;
let location: string;

beforeEach(async () => {
  folder = temporaryFolder('layout');
  clock = instantClock();
  registry = await startFakeRegistry({
    place: await openLayoutPlace(folder, { create: true, clock: realClock }),
    clock,
  });
  location = (await send('POST', '/v2/app/blobs/uploads/')).headers.location ?? '';
  return () => registry.stop();
});

function send(
  method: string,
  path: string,
  rest: {
    readonly headers?: Record<string, string>;
    readonly body?: Uint8Array | readonly Uint8Array[];
  } = {},
): Promise<RawResponse> {
  return sendRaw(registry.url, { method, path, ...rest });
}

function put(body: Uint8Array = bytes, headers: Record<string, string> = {}): Promise<RawResponse> {
  return send('PUT', `${location}?digest=${descriptor.digest}`, { body, headers });
}

function patch(from: number, to = bytes.byteLength): Promise<RawResponse> {
  return send('PATCH', location, {
    body: bytes.subarray(from, to),
    headers: { 'content-range': `${from}-${to - 1}` },
  });
}

/** A PUT of everything that breaks off. */
async function cutPut(): Promise<void> {
  const fault: Fault = {
    match: { method: 'PUT' },
    action: { kind: 'cut-request', afterBytes: CUT_AT },
  };
  registry.fault(fault);
  await expect(put()).rejects.toThrow();
}

async function range(): Promise<string | undefined> {
  return (await send('GET', location)).headers.range;
}

describe('a PUT of a large blob that is cut', () => {
  test('is kept, and its status gives the bytes received', async () => {
    await cutPut();
    // The last piece may have come without having been taken.
    const last = Number((await range())?.slice(2));
    expect(last).toBeLessThan(CUT_AT);
    expect(last).toBeGreaterThan(MIB);
  });

  test('is resumed by PATCH and finished by an empty PUT', async () => {
    await cutPut();
    const next = Number((await range())?.slice(2)) + 1;
    expect((await patch(next, next + 10)).status).toBe(202);
    expect(await range()).toBe(`0-${next + 9}`);
    expect((await patch(next + 10)).status).toBe(202);
    expect(await range()).toBe(`0-${bytes.byteLength - 1}`);
    expect((await put(new Uint8Array())).status).toBe(201);
    expect(
      Buffer.compare((await send('GET', `/v2/app/blobs/${descriptor.digest}`)).body, bytes),
    ).toBe(0);
    expect([leftovers(folder), damagedBlobs(folder)]).toEqual([[], []]);
  });

  test('is resumed by a PUT of the rest', async () => {
    await cutPut();
    const next = Number((await range())?.slice(2)) + 1;
    expect(
      (await put(bytes.subarray(next), { 'content-range': `${next}-${bytes.byteLength - 1}` }))
        .status,
    ).toBe(201);
    expect([leftovers(folder), damagedBlobs(folder)]).toEqual([[], []]);
  });

  /**
   * The client was killed between its last byte and the answer: what the store had was whole, and
   * no blob yet.
   */
  test('is stored by an empty PUT when all bytes had arrived', async () => {
    const all: Fault = {
      match: { method: 'PUT' },
      action: { kind: 'cut-request', afterBytes: bytes.byteLength },
    };
    registry.fault(all);
    await expect(put()).rejects.toThrow();
    const next = Number((await range())?.slice(2)) + 1;
    expect((await put(bytes.subarray(next))).status).toBe(201);
    expect((await send('HEAD', `/v2/app/blobs/${descriptor.digest}`)).status).toBe(200);
    expect(damagedBlobs(folder)).toEqual([]);
  });

  test('refuses bytes that do not follow', async () => {
    await cutPut();
    const { status, headers } = await patch(10);
    expect([status, headers.range]).toEqual([416, await range()]);
  });

  test('refuses to become another blob, and ends', async () => {
    await cutPut();
    const other = makeBlob(10, 9).descriptor.digest;
    const answer = await send('PUT', `${location}?digest=${other}`, {
      body: bytes.subarray(CUT_AT),
    });
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
    expect([(await send('GET', location)).status, leftovers(folder)]).toEqual([404, []]);
  });

  test('refuses to finish when bytes are missing', async () => {
    await cutPut();
    const answer = await put(new Uint8Array());
    expect(answer.status).toBe(400);
    expect(leftovers(folder)).toEqual([]);
  });

  test('refuses wrong bytes at its end, and ends', async () => {
    await cutPut();
    const next = Number((await range())?.slice(2)) + 1;
    const answer = await put(new Uint8Array(bytes.byteLength - next));
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
    expect([
      (await send('GET', location)).status,
      leftovers(folder),
      readdirSync(`${folder}/blobs/sha256`),
    ]).toEqual([404, [], []]);
  });

  test('is freed by DELETE', async () => {
    await cutPut();
    expect(leftovers(folder)).toHaveLength(1);
    expect((await send('DELETE', location)).status).toBe(204);
    expect(leftovers(folder)).toEqual([]);
  });

  test('is freed after an idle hour', async () => {
    await cutPut();
    clock.advance(61 * 60_000);
    await send('POST', '/v2/app/blobs/uploads/');
    expect(leftovers(folder)).toEqual([]);
  });

  test('is complete when another client has uploaded the blob in the meantime', async () => {
    await cutPut();
    const next = Number((await range())?.slice(2)) + 1;
    await send('POST', `/v2/app/blobs/uploads/?digest=${descriptor.digest}`, { body: bytes });
    expect(
      (await put(bytes.subarray(next), { 'content-range': `${next}-${bytes.byteLength - 1}` }))
        .status,
    ).toBe(201);
    expect([leftovers(folder), damagedBlobs(folder)]).toEqual([[], []]);
  });
});
