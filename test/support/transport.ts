import {
  createTransport,
  type HttpTransport,
  type TransportOptions,
} from '../../src/http/transport.ts';
import { afterFile } from './cleanup.ts';

/** A transport for the tests of one file; it is closed after the last of them. */
export function testTransport(options: Partial<TransportOptions> = {}): HttpTransport {
  const transport = createTransport({ userAgent: 'regi-test', ...options });
  afterFile(() => transport.close());
  return transport;
}
