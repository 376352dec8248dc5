import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';

import { expect, onTestFinished, test } from 'vitest';

import { type Certificates, makeCertificates } from '../../support/http/certificates.ts';
import { describeReal } from '../../support/programs/real-tools.ts';

async function dial(certificates: Certificates, servername: string): Promise<string> {
  const server = createServer({ cert: certificates.cert, key: certificates.key });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const socket = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ca: certificates.ca,
    servername,
  });
  onTestFinished(() => void socket.destroy());
  return new Promise((resolve) => {
    socket.once('secureConnect', () => resolve('secure'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describeReal('makeCertificates()', ['openssl'], () => {
  test('makes a certificate that a client with the CA trusts for each host', async () => {
    const certificates = makeCertificates({ hosts: ['127.0.0.1', 'registry.test'] });
    expect(await dial(certificates, 'registry.test')).toBe('secure');
  });

  test('makes a certificate that is not good for another host', async () => {
    const certificates = makeCertificates({ hosts: ['registry.test'] });
    expect(await dial(certificates, 'other.test')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('makes an expired certificate when asked', async () => {
    const certificates = makeCertificates({ hosts: ['registry.test'], expired: true });
    expect(await dial(certificates, 'registry.test')).toBe('CERT_HAS_EXPIRED');
  });
});
