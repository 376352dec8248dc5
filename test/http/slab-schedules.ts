import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';

import { readAtMost } from '../../src/http/body.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import type { HttpTransport } from '../../src/http/transport.ts';
import type { Bytes } from '../../src/store.ts';
import type { Certificates } from '../support/http/certificates.ts';
import { startHttpServer, type TestServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

/** Schedules of `npm test`; `npm run test:long` runs those that follow. */
export const FAST_SCHEDULES = 30;
const AT_ONCE = 6;
const POISON = 0xde;
/** Small slabs are full, and used again, after every read or two. */
const SLAB_BYTES = 66 * 1024;
export const KIB = 1024;

/** Random numbers that a seed decides: `next(n)` is from 0 to n - 1. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed * 40_503 + 1) % 2 ** 32;
  return (below) => {
    // Numerical Recipes' generator; the high bits are the better ones.
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Schedule {
  readonly seed: number;
  readonly size: number;
  /** Bytes that the server writes at once, at most. */
  readonly chunk: number;
  readonly isChunked: boolean;
}

/**
 * One in thirty is larger than what the kernel holds of a connection, and comes in small pieces;
 * others are small, and some of those come byte by byte.
 */
export function scheduleOf(seed: number): Schedule {
  const random = randomOf(seed);
  const isHuge = random(30) === 0;
  const isTiny = !isHuge && random(4) === 0;
  const size = isHuge
    ? 8 * KIB * KIB + random(KIB * KIB)
    : 1 + random(isTiny ? 3 * KIB : 700 * KIB);
  const chunk = isHuge ? 1 + random(24 * KIB) : 1 + random(isTiny ? 3 : 200 * KIB);
  return { seed, size, chunk, isChunked: random(2) === 0 };
}

export function contentOf({ seed, size }: Schedule): Buffer {
  const content = Buffer.alloc(size);
  for (let position = 0; position < size; position += 4)
    content.writeUInt32LE(
      ((seed + 1) * (position + 7) * 40_503) % 2 ** 32,
      Math.min(position, Math.max(0, size - 4)),
    );
  return content;
}

export async function stutter(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Sends the content of the schedule that the path names, in pieces, as the schedule says. */
async function give(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const schedule = scheduleOf(Number(request.url?.slice(1)));
  const content =
    schedule.size < 4 ? Buffer.alloc(schedule.size, schedule.seed) : contentOf(schedule);
  const random = randomOf(schedule.seed + 1);
  if (!schedule.isChunked) response.setHeader('content-length', content.byteLength);
  for (let position = 0; position < content.byteLength;) {
    const end = position + 1 + random(schedule.chunk);
    if (!response.write(content.subarray(position, end)))
      await new Promise((resolve) => response.once('drain', resolve));
    position = end;
    if (random(4) === 0) await stutter(random(3));
  }
  response.end();
}

function isLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length']) > 4 * KIB * KIB;
}

/** Takes a body as slowly as the schedule says and answers with its digest. */
async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const random = randomOf(Number(request.url?.slice(1)) + 2);
  const hash = createHash('sha256');
  // Until the kernel's buffers are full.
  if (isLarge(request)) await stutter(3000);
  for await (const chunk of request) {
    hash.update(chunk as Buffer);
    if (random(3) === 0) await stutter(random(6));
  }
  response.end(hash.digest('hex'));
}

export async function startSchedules(certificates?: Certificates): Promise<TestServer> {
  return startHttpServer(
    (request, response) => void (request.method === 'GET' ? give : take)(request, response),
    certificates,
  );
}

/** The digest that the server found in what it was sent of what it gave. */
async function passOn(
  transport: HttpTransport,
  server: TestServer,
  schedule: Schedule,
): Promise<string> {
  const { body } = await transport.send({ method: 'GET', url: server.url(`/${schedule.seed}`) });
  const random = randomOf(schedule.seed + 3);
  async function* slowly(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      if (random(4) === 0) await stutter(random(4));
      yield chunk;
    }
  }
  const content = { [Symbol.asyncIterator]: slowly };
  const answer = await transport.send({
    method: 'PUT',
    url: server.url(`/${schedule.seed}`),
    body: { content, size: schedule.size },
  });
  return Buffer.from(await readAtMost(answer, KIB, 'the digest')).toString();
}

export function watchedPool() {
  let freed = 0;
  const pool = new SlabPool({
    slabBytes: SLAB_BYTES,
    onFree(bytes) {
      freed += 1;
      bytes.fill(POISON);
    },
  });
  return { pool, freed: () => freed };
}

/** Seeds of the schedules whose bytes did not arrive as they were. */
async function findCorrupt(
  transport: HttpTransport,
  server: TestServer,
  seeds: readonly number[],
): Promise<readonly number[]> {
  const corrupt: number[] = [];
  const left = seeds.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const seed of left) {
        const schedule = scheduleOf(seed);
        const expected =
          schedule.size < 4 ? Buffer.alloc(schedule.size, seed) : contentOf(schedule);
        if ((await passOn(transport, server, schedule)) !== sha256(expected)) corrupt.push(seed);
      }
    }),
  );
  return corrupt;
}

/**
 * Passes bodies through slabs that are poisoned when released: one body for each seed from `first`
 * on.
 *
 * @returns the seeds of bodies that arrived changed, and how often a slab was released.
 */
export async function runSchedules(
  first: number,
  count: number,
  certificates?: Certificates,
): Promise<{ readonly corrupt: readonly number[]; readonly freed: number }> {
  const server = await startSchedules(certificates);
  const { pool, freed } = watchedPool();
  const transport = testTransport({
    slabs: pool,
    tls: () => ({ ca: certificates === undefined ? [] : [certificates.ca] }),
  });
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  return { corrupt: await findCorrupt(transport, server, seeds), freed: freed() };
}

/**
 * Reads a body of which the peer has sent one chunk: the second while the reader waits, the last
 * and the end of the connection while it does not.
 */
export async function readPastEnd(
  body: Bytes,
  peer: () => Writable | undefined,
): Promise<readonly string[]> {
  const chunks = body[Symbol.asyncIterator]();
  const found: string[] = [];
  const take = ({ done, value }: IteratorResult<Uint8Array>): boolean => {
    if (done !== true) found.push(Buffer.from(value).toString());
    return done !== true;
  };
  take(await chunks.next());
  const second = chunks.next();
  peer()?.write('second');
  take(await second);
  peer()?.write('last');
  await stutter(50);
  peer()?.end();
  await stutter(50);
  while (take(await chunks.next()));
  return found;
}
