import type { LookupFunction } from 'node:net';

import {
  createTransport,
  type HttpTransport,
  type TransportOptions,
} from '../../../src/http/transport.ts';
import { afterFile } from '../cleanup.ts';

/** A transport for the tests of one file; it is closed after the last of them. */
export function testTransport(options: Partial<TransportOptions> = {}): HttpTransport {
  const transport = createTransport({ userAgent: 'regi-test', ...options });
  afterFile(() => transport.close());
  return transport;
}

/** Name resolution for which every name is this machine: servers answer under their real names. */
export const lookupLoopback: LookupFunction = (_hostname, options, callback) => {
  const found = { address: '127.0.0.1', family: 4 };
  if (options.all === true) callback(null, [found]);
  else callback(null, found.address, found.family);
};
