import { NetworkError } from '../../../src/http/errors.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { ConnectionOptions } from '../../../src/registry/connection.ts';
import { instantClock } from '../clock.ts';
import { testRepository } from '../http/registry-connection.ts';
import { uploadRegistry, type Interfere } from './upload-registry.ts';

export const bytes = new Uint8Array(1000).map((_, index) => index % 251);
export const target = { mediaType: 'x', digest: digestOf(bytes), size: bytes.byteLength };
export const cut = new NetworkError('cut', {
  phase: 'response',
  reason: 'ECONNRESET',
});

export function registry(interfere?: Interfere, options: Partial<ConnectionOptions> = {}) {
  const fake = uploadRegistry(interfere);
  const clock = instantClock();
  return {
    ...fake,
    clock,
    repository: testRepository(fake.send, { clock, retries: 2, ...options }),
  };
}

/** Strikes the first requests of a method. */
export function first(method: string, answer: () => ReturnType<Interfere>, times = 1): Interfere {
  let left = times;
  return (request) => (request.method === method && left-- > 0 ? answer() : undefined);
}
