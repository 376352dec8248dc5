import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';

import { expect, test } from 'vitest';

import { afterFile } from '../support/cleanup.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { testTransport } from '../support/http/transport.ts';

test('B11: send() says that a server speaks HTTP/2 only', async () => {
  const { cert, key, ca } = makeCertificates({ hosts: ['127.0.0.1'] });
  const server = createServer({ cert, key, ALPNProtocols: ['h2'] });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterFile(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const sent = testTransport({ tls: () => ({ ca }) }).send({
    method: 'GET',
    url: new URL(`https://127.0.0.1:${port}/`),
  });
  await expect(sent).rejects.toMatchObject({
    code: 'TLS',
    message: expect.stringContaining('does not speak HTTP/1.1') as string,
  });
});
