import { createServer, type AddressInfo, type LookupFunction } from 'node:net';
import { once } from 'node:events';

import { expect, onTestFinished, test } from 'vitest';

import { TimeoutError, TlsError } from '../../src/http/errors.ts';
import { probeConnection, resolveName } from '../../src/http/probe.ts';
import { createTransport } from '../../src/http/transport.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';

const silent: LookupFunction = () => undefined;

test('resolveName() returns an address unchanged, and the addresses of a name', async () => {
  const lookup: LookupFunction = (_name, _options, callback) =>
    callback(null, [{ address: '10.0.0.7', family: 4 }]);
  expect(await resolveName(new URL('https://[::1]:5000'), silent, 1000)).toEqual(['::1']);
  expect(await resolveName(new URL('https://registry.test'), lookup, 1000)).toEqual(['10.0.0.7']);
});

test('resolveName() throws a TimeoutError when no name server responds', async () => {
  await expect(resolveName(new URL('https://registry.test'), silent, 1)).rejects.toBeInstanceOf(
    TimeoutError,
  );
});

test('resolveName() ends when it is aborted', async () => {
  const controller = new AbortController();
  const pending = resolveName(new URL('https://registry.test'), silent, 60_000, {
    signal: controller.signal,
  });
  controller.abort(new Error('enough'));
  await expect(pending).rejects.toThrow('enough');
});

test('probeConnection() returns the chain and the end of the certificate', async () => {
  const tls = makeCertificates({ hosts: ['127.0.0.1'], days: 5 });
  const { url } = await startFakeRegistry({ tls });
  const transport = createTransport({ userAgent: 'test', tls: () => ({ ca: tls.ca }) });
  const found = await probeConnection(await transport.targetOf(new URL(url)));
  expect(found).toMatchObject({
    protocol: 'TLSv1.3',
    chain: ['regi test server', 'regi test CA'],
    distrust: undefined,
  });
  expect(Math.round(((found?.expiresAt ?? 0) - Date.now()) / 86_400_000)).toBe(5);
});

test('probeConnection() throws for an untrusted server, and returns its identity without verification', async () => {
  const tls = makeCertificates({ hosts: ['127.0.0.1'] });
  const { url } = await startFakeRegistry({ tls });
  const target = await createTransport({ userAgent: 'test' }).targetOf(new URL(url));
  await expect(probeConnection(target)).rejects.toBeInstanceOf(TlsError);
  expect(await probeConnection({ ...target, rejectUnauthorized: false })).toMatchObject({
    distrust: 'SELF_SIGNED_CERT_IN_CHAIN',
  });
});

test('probeConnection() ends when it is aborted', async () => {
  // Accepts, and never says a word of TLS.
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const target = await createTransport({ userAgent: 'test' }).targetOf(
    new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
  );
  const controller = new AbortController();
  const pending = probeConnection(target, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(pending).rejects.toThrow('enough');
});
