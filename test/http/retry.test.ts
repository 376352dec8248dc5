import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { Admissions } from '../../src/concurrency/admissions.ts';
import { NetworkError, TimeoutError, TlsError, type Phase } from '../../src/http/errors.ts';
import {
  headersOf,
  type HttpRequest,
  type HttpResponse,
  type Method,
  type Transport,
} from '../../src/http/message.ts';
import { retryLayer, type RetryEvent } from '../../src/http/retry.ts';
import { instantClock } from '../support/clock.ts';

type Step = number | Error | { readonly status: number; readonly headers: Record<string, string> };

const url = new URL('https://registry.test/v2/');

/**
 * Answers with each step once, and with the last one for ever. Counts the bodies that were closed
 * or read.
 */
function scripted(...steps: Step[]): {
  transport: Transport;
  requests: HttpRequest[];
  discarded: () => number;
} {
  const requests: HttpRequest[] = [];
  let discarded = 0;
  async function transport(request: HttpRequest): Promise<HttpResponse> {
    const step = steps[Math.min(requests.length, steps.length - 1)] ?? 200;
    requests.push(request);
    if (step instanceof Error) throw step;
    const { status, headers } = typeof step === 'number' ? { status: step, headers: {} } : step;
    async function* body(): AsyncGenerator<Uint8Array> {
      discarded++;
      yield new Uint8Array(0);
    }
    return {
      status,
      headers: headersOf(headers),
      url: request.url,
      remoteAddress: undefined,
      body: { [Symbol.asyncIterator]: body },
    };
  }
  return { transport, requests, discarded: () => discarded };
}

function network(reason: string, phase: Phase = 'response'): NetworkError {
  return new NetworkError('Cannot', { phase, reason });
}

function timeout(phase: Phase): TimeoutError {
  return new TimeoutError('Cannot', phase);
}

async function attempts(method: Method, step: Step, body?: HttpRequest['body']): Promise<number> {
  const { transport, requests } = scripted(step, 200);
  await retryLayer({ clock: instantClock() })(transport)({ method, url, body }).catch(() => {});
  return requests.length;
}

describe('retryLayer()', () => {
  test('retryLayer() returns the first good response', async () => {
    const { transport, requests, discarded } = scripted(503, network('ECONNRESET'), 200);
    const response = await retryLayer({ clock: instantClock() })(transport)({ method: 'GET', url });
    expect([response.status, requests.length, discarded()]).toEqual([200, 3, 1]);
  });

  test('retryLayer() returns the last response, unread, when no retry is left', async () => {
    const { transport, requests, discarded } = scripted(503);
    const response = await retryLayer({ clock: instantClock(), retries: 2 })(transport)({
      method: 'GET',
      url,
    });
    expect([response.status, requests.length, discarded()]).toEqual([503, 3, 2]);
  });

  test('retryLayer() does not count a 429 while other requests get through', async () => {
    const admissions = new Admissions();
    const { transport, requests } = scripted(...Array.from({ length: 9 }, () => 429), 200);
    const crowded: Transport = async (request) => {
      if (requests.length < 7) admissions.note(url.origin, 404);
      return transport(request);
    };
    const options = { clock: instantClock(), retries: 3, admissions };
    expect(await retryLayer(options)(crowded)({ method: 'GET', url })).toMatchObject({
      status: 200,
    });
    expect(requests).toHaveLength(10);
  });

  test.each([0, 2])(
    'retryLayer() gives up on a 429 after %i retries when no request gets through',
    async (retries) => {
      const { transport, requests } = scripted(429);
      await retryLayer({ clock: instantClock(), retries })(transport)({ method: 'GET', url });
      expect(requests).toHaveLength(retries + 1);
    },
  );

  test('retryLayer() throws the last error when no retry is left', async () => {
    const error = network('ECONNRESET');
    const { transport, requests } = scripted(error);
    await expect(
      retryLayer({ clock: instantClock(), retries: 1 })(transport)({ method: 'GET', url }),
    ).rejects.toBe(error);
    expect(requests).toHaveLength(2);
  });

  test('retryLayer() waits longer each time', async () => {
    const clock = instantClock();
    await retryLayer({ clock })(scripted(503).transport)({ method: 'GET', url });
    expect(clock.sleeps).toEqual([375, 750, 1500, 3000, 6000]);
  });

  test('retryLayer() waits as long as the server asks', async () => {
    const clock = instantClock();
    await retryLayer({ clock })(
      scripted({ status: 429, headers: { 'retry-after': '5' } }, 200).transport,
    )({ method: 'HEAD', url });
    expect(clock.sleeps).toEqual([5000]);
  });

  test('retryLayer() does not wait longer than allowed', async () => {
    const clock = instantClock();
    const { transport, requests } = scripted(
      { status: 429, headers: { 'retry-after': '61' } },
      200,
    );
    const response = await retryLayer({ clock })(transport)({ method: 'GET', url });
    expect([response.status, requests.length, clock.sleeps]).toEqual([429, 1, []]);
  });

  test('retryLayer() reports each retry', async () => {
    const events: RetryEvent[] = [];
    await retryLayer({ clock: instantClock(), onRetry: (event) => events.push(event) })(
      scripted(502, 200).transport,
    )({ method: 'GET', url });
    expect(events).toEqual([{ method: 'GET', url, attempt: 1, delayMs: 375, cause: 502 }]);
  });

  test('retryLayer() stops waiting when the signal aborts', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const { transport, requests } = scripted(503);
    const send = retryLayer({ clock: instantClock(), onRetry: () => controller.abort(reason) })(
      transport,
    );
    await expect(send({ method: 'GET', url, signal: controller.signal })).rejects.toBe(reason);
    expect(requests).toHaveLength(1);
  });

  test.each([
    ['GET', 503, 2],
    ['GET', 404, 1],
    ['GET', 501, 1],
    ['PUT', 429, 2],
    ['POST', 429, 2],
    ['POST', 503, 2],
    ['DELETE', 500, 2],
    ['PATCH', 429, 2],
    ['PATCH', 503, 1],
    ['GET', network('ENOTFOUND', 'connect'), 1],
    ['GET', network('EAI_AGAIN', 'connect'), 2],
    ['GET', network('ECONNREFUSED', 'connect'), 1],
    ['GET', network('HPE_INVALID_CONSTANT'), 1],
    ['POST', network('UND_ERR_SOCKET'), 2],
    ['PATCH', network('UND_ERR_SOCKET'), 1],
    ['PATCH', network('ETIMEDOUT', 'connect'), 2],
    ['GET', timeout('response'), 2],
    ['PUT', timeout('response'), 1],
    ['PUT', timeout('connect'), 2],
    ['GET', new TlsError('Cannot', {}, {}), 1],
    ['GET', new Error('a mistake of ours'), 1],
  ] as const)('retryLayer() sends %s after %s in %i attempts', async (method, step, expected) => {
    expect(await attempts(method, step)).toBe(expected);
  });

  test('retryLayer() repeats a body in memory', async () => {
    expect(await attempts('PUT', 503, Buffer.from('manifest'))).toBe(2);
  });

  test('retryLayer() does not repeat a streamed body', async () => {
    expect(await attempts('PUT', 503, { content: bytesOf(Buffer.from('x')), size: 1 })).toBe(1);
  });

  test('retryLayer() repeats a refused connection to a server that has responded before', async () => {
    const { transport, requests } = scripted(200, network('ECONNREFUSED', 'connect'), 200);
    const send = retryLayer({ clock: instantClock() })(transport);
    await send({ method: 'GET', url });
    expect((await send({ method: 'GET', url })).status).toBe(200);
    expect(requests).toHaveLength(3);
  });
});
