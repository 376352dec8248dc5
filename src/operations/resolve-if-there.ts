import { RegiError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { CallOptions, Source } from '../store.ts';

/** What a name points at, or undefined where the store proves that it has no such name. Any doubt is an error. */
export async function resolveIfThere(store: Source, reference: string, options: CallOptions = {}): Promise<Descriptor | undefined> {
  try {
    return await store.resolve(reference, options);
  } catch (error) {
    if (error instanceof RegiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
