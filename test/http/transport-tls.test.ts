import { describe, expect, test } from 'vitest';

import { readAtMost } from '../../src/http/body.ts';
import { TlsError } from '../../src/http/errors.ts';
import type { HttpResponse } from '../../src/http/message.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { startHttpServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

async function textOf(response: HttpResponse): Promise<string> {
  return Buffer.from(await readAtMost(response, 1024 * 1024, 'the test body')).toString();
}

describe('send() over TLS', () => {
  const certificates = makeCertificates({ hosts: ['127.0.0.1'] });
  const expired = makeCertificates({ hosts: ['127.0.0.1'], expired: true });
  const elsewhere = makeCertificates({ hosts: ['elsewhere.test'] });

  test('send() trusts a server with a given authority', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.end('ok'),
      certificates,
    );
    const transport = testTransport({ tls: () => ({ ca: certificates.ca }) });
    expect(await textOf(await transport.send({ method: 'GET', url: server.url('/') }))).toBe('ok');
  });

  test('send() trusts any server without verification', async () => {
    const server = await startHttpServer((_request, response) => void response.end('ok'), expired);
    const transport = testTransport({ tls: () => ({ rejectUnauthorized: false }) });
    expect(await textOf(await transport.send({ method: 'GET', url: server.url('/') }))).toBe('ok');
  });

  test.each([
    [
      'an unknown authority',
      certificates,
      undefined,
      'signed by an authority that this machine does not know',
    ],
    ['an expired certificate', expired, expired.ca, 'has expired'],
    ['a certificate for another name', elsewhere, elsewhere.ca, 'is for another name'],
  ] as const)('send() refuses %s', async (_what, served, ca, said) => {
    const server = await startHttpServer((_request, response) => void response.end('ok'), served);
    const error = await testTransport({ tls: () => ({ ca }) })
      .send({ method: 'GET', url: server.url('/') })
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TlsError);
    expect(error).toMatchObject({
      code: 'TLS',
      plainHttp: false,
      hint: expect.stringContaining(`--tls-skip-verify 127.0.0.1:${server.port}`),
    });
    expect((error as Error).message).toContain(said);
  });

  test('send() recognises a server that speaks plain http', async () => {
    const server = await startHttpServer((_request, response) => void response.end('ok'));
    const error = await testTransport()
      .send({ method: 'GET', url: new URL(`https://127.0.0.1:${server.port}/v2/`) })
      .catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'TLS',
      plainHttp: true,
      hint: `if you trust the network between: --plain-http 127.0.0.1:${server.port}`,
    });
  });

  test('send() asks for TLS settings once per origin', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.end('ok'),
      certificates,
    );
    let asked = 0;
    const transport = testTransport({ tls: () => ({ ca: (asked++, certificates.ca) }) });
    await Promise.all(
      [1, 2, 3].map(async () =>
        textOf(await transport.send({ method: 'GET', url: server.url('/') })),
      ),
    );
    expect(asked).toBe(1);
  });
});
