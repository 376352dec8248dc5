import { RegiError } from '../errors.ts';
import { isPrivateAddress } from '../http/address.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes } from '../store.ts';
import { bodyFrom, rangeFrom } from './blob-body.ts';
import type { Connection } from './connection.ts';

export interface ForeignOptions {
  readonly action: string;
  /** What the registry itself said; thrown when no URL can be used. */
  readonly notThere: RegiError;
  /** Where the registry that named the URLs answered from. */
  readonly registryAddress: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a foreign layer at the first of its URLs that has it. The URLs come out of a manifest, so anybody may have written them:
 * they get no credentials, their challenges are not answered (CVE-2020-15157), and those that a registry at a public address
 * serves may not lead into our own network.
 */
export async function openForeign(
  connection: Connection,
  target: Descriptor,
  position: number,
  options: ForeignOptions,
): Promise<Bytes> {
  const { action, notThere, registryAddress, signal } = options;
  const reach =
    registryAddress !== undefined && isPrivateAddress(registryAddress) ? 'any' : 'public';
  let failure = notThere;
  for (const text of target.urls ?? []) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'https:' && url?.protocol !== 'http:') continue;
    try {
      const response = await connection.sendAnonymously('GET', url, {
        headers: rangeFrom(position),
        reach,
        signal,
      });
      return await bodyFrom(action, response, target, position);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RegiError)) throw error;
      failure = error;
    }
  }
  throw failure;
}
