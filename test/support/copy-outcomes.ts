import { RegiError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { CopyJob } from '../../src/operations/copy/copy-image.ts';
import {
  copyImages,
  type CopyImagesOptions,
  type FailedJob,
} from '../../src/operations/copy/copy-images.ts';
import type { CopyEvent } from '../../src/operations/copy/events.ts';
import type { Store } from '../../src/store.ts';
import { decorate } from '../../src/stores/decorators/decorate.ts';
import { createMemoryStore } from '../../src/stores/memory.ts';
import type { TestImage } from './images/images.ts';

export class LostError extends RegiError {
  constructor(message: string) {
    super('NETWORK', message);
  }
}

interface Outcome {
  readonly done: readonly string[];
  readonly events: readonly CopyEvent[];
  readonly error: unknown;
}

/** Copies to the end or to the error, and tells both. */
export async function run(
  jobs: Iterable<CopyJob | FailedJob> | AsyncIterable<CopyJob | FailedJob>,
  options: CopyImagesOptions = {},
): Promise<Outcome> {
  const [done, events]: [string[], CopyEvent[]] = [[], []];
  try {
    for await (const { image } of copyImages(jobs, {
      ...options,
      onEvent: (event) => events.push(event),
    }))
      done.push(image);
    return { done, events, error: undefined };
  } catch (error) {
    return { done, events, error };
  }
}

export async function sourceWith(...images: readonly TestImage[]): Promise<Store> {
  const store = createMemoryStore();
  for (const [index, image] of images.entries()) await image.pushAll(store, `v${index}`);
  return store;
}

/**
 * `before` runs before the first byte of `target` is read; what it throws is what reading fails
 * with.
 */
export function reading(
  store: Store,
  target: Descriptor | undefined,
  before: (signal: AbortSignal | undefined) => Promise<void>,
): Store {
  return decorate(store, {
    fetch: (wanted, options) =>
      wanted.digest !== target?.digest
        ? store.fetch(wanted, options)
        : {
            async *[Symbol.asyncIterator]() {
              await before(options?.signal);
              yield* store.fetch(wanted, options);
            },
          },
  });
}

export const lost = async (): Promise<never> => {
  throw new LostError('Cannot read: the connection was cut');
};

export function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(signal.reason as Error)),
  );
}

export function job(
  source: Store,
  reference: string,
  destination: Store,
  tag = reference,
): CopyJob {
  return { source, reference, destination, tag, image: tag };
}

export async function* toBytes(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
