import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { connectError, exchangeError, NetworkError } from '../../src/http/errors.ts';
import {
  headersOf,
  type HttpRequest,
  type HttpResponse,
  type Transport,
} from '../../src/http/message.ts';
import { logLayer } from '../../src/http/log.ts';
import { nextHop } from '../../src/http/redirect.ts';
import { instantClock } from '../support/clock.ts';

function answering(
  headers: Record<string, string>,
  { ms = 0, status = 200 } = {},
): { transport: Transport; clock: ReturnType<typeof instantClock> } {
  const clock = instantClock();
  const transport = async (request: HttpRequest): Promise<HttpResponse> => {
    clock.advance(ms);
    return {
      status,
      headers: headersOf(headers),
      url: request.url,
      remoteAddress: undefined,
      body: bytesOf(new Uint8Array(0)),
    };
  };
  return { transport, clock };
}

describe('logLayer()', () => {
  test('logLayer() logs nothing at verbosity 0', () => {
    const { transport, clock } = answering({});
    expect(logLayer({ clock, log: () => {}, verbosity: 0 })(transport)).toBe(transport);
  });

  test('logLayer() logs method, URL, status, bytes and time at verbosity 1', async () => {
    const lines: string[] = [];
    const { transport, clock } = answering({ 'content-length': '1234' }, { ms: 35 });
    await logLayer({ clock, log: (line) => lines.push(line), verbosity: 1 })(transport)({
      method: 'GET',
      url: new URL('https://a.test/v2/?x=y'),
    });
    expect(lines).toEqual(['GET https://a.test/v2/?x=*** 200 1234 bytes 35 ms']);
  });

  test('logLayer() logs the bytes of the request body', async () => {
    const lines: string[] = [];
    const { transport, clock } = answering({ 'content-length': '0' }, { status: 201 });
    const send = logLayer({ clock, log: (line) => lines.push(line), verbosity: 1 })(transport);
    await send({
      method: 'PUT',
      url: new URL('https://a.test/'),
      body: { content: bytesOf(new Uint8Array(7)), size: 7 },
    });
    expect(lines).toEqual(['PUT https://a.test/ 201 7 bytes 0 ms']);
  });

  test('logLayer() logs headers without secrets at verbosity 2', async () => {
    const lines: string[] = [];
    const { transport, clock } = answering({ 'x-a': 'b', 'set-cookie': 'c=hunter2' });
    const send = logLayer({ clock, log: (line) => lines.push(line), verbosity: 2 })(transport);
    await send({
      method: 'HEAD',
      url: new URL('https://a.test/'),
      headers: { authorization: 'Bearer hunter2' },
    });
    expect(lines).toEqual([
      'HEAD https://a.test/ 200 0 bytes 0 ms',
      '> authorization: Bearer ***',
      '< x-a: b',
      '< set-cookie: ***',
    ]);
  });

  test('logLayer() logs failures and rethrows them', async () => {
    const lines: string[] = [];
    const error = new NetworkError('Cannot\u001b', { phase: 'connect' });
    const send = logLayer({ clock: instantClock(), log: (line) => lines.push(line), verbosity: 1 })(
      () => Promise.reject(error),
    );
    await expect(send({ method: 'GET', url: new URL('https://a.test/') })).rejects.toBe(error);
    expect(lines).toEqual(['GET https://a.test/ failed: Cannot\\x1b 0 ms']);
  });
});

test('log lines and errors contain no secret', async () => {
  const secret = fc.stringMatching(/^[A-Z]{16}$/);
  await fc.assert(
    fc.asyncProperty(secret, async (text) => {
      const url = new URL(`https://${text}:${text}@registry.test/v2/?sig=${text}&${text}#${text}`);
      const request: HttpRequest = {
        method: 'GET',
        url,
        headers: { authorization: `Bearer ${text}`, cookie: text, 'x-registry-token': text },
      };
      const lines: string[] = [];
      const { transport, clock } = answering(
        { location: `https://${text}:${text}@cdn.test/?sig=${text}`, 'set-cookie': text },
        { status: 307 },
      );
      const response = await logLayer({ clock, log: (line) => lines.push(line), verbosity: 2 })(
        transport,
      )(request);
      const errors = [
        connectError(url, Object.assign(new Error('no'), { code: 'ECONNREFUSED' })),
        exchangeError(request, 'response', Object.assign(new Error('no'), { code: 'ECONNRESET' })),
      ].map((error) => `${error.message} ${error.hint}`);
      try {
        nextHop(request, response);
      } catch (error) {
        errors.push(String(error));
      }
      expect(errors).toHaveLength(3);
      expect([...lines, ...errors].join('\n')).not.toContain(text);
    }),
  );
});
