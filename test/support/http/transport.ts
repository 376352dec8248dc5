import type { LookupFunction } from 'node:net';

import {
  createTransport,
  type HttpTransport,
  type TransportOptions,
} from '../../../src/http/transport.ts';
import { afterFile } from '../cleanup.ts';

/** Creates a transport, and closes it after the last test of the file. */
export function testTransport(options: Partial<TransportOptions> = {}): HttpTransport {
  const transport = createTransport({ userAgent: 'regi-test', ...options });
  afterFile(() => transport.close());
  return transport;
}

/** Resolves every name to 127.0.0.1, so that local servers have the names of real ones. */
export const lookupLoopback: LookupFunction = (_hostname, options, callback) => {
  const found = { address: '127.0.0.1', family: 4 };
  if (options.all === true) callback(null, [found]);
  else callback(null, found.address, found.family);
};
