import { cpSync } from 'node:fs';

import { systemClock } from '../../../src/clock.ts';
import { main } from '../../../src/main.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { LocalStore } from '../../../src/stores/layout/local-store.ts';
import type { TestImage } from './images.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from '../cli/io.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface LocalImages {
  /** The folder of the local store, which is the only setting in the environment. */
  readonly folder: string;
  /**
   * Names an image as a pull or a tag does. `pulled` is the digest of the index that contains the
   * image.
   */
  readonly keep: (image: TestImage, name: string, pulled?: Digest) => Promise<void>;
  /** Names in index.json; undefined for an image without one. */
  readonly names: () => Promise<readonly (string | undefined)[]>;
  /** Runs a command line on this store. */
  readonly run: (
    argv: readonly string[],
    options?: FakeIoOptions,
  ) => Promise<{ readonly status: number; readonly io: FakeIo }>;
}

/** Creates a local store for a test: not yet on disk, or a copy of another. */
export function localImages(original?: LocalImages): LocalImages {
  const folder = temporaryFolder('data');
  if (original !== undefined) cpSync(original.folder, folder, { recursive: true });
  const withStore = async <Result>(
    create: boolean,
    work: (store: LocalStore) => Promise<Result>,
  ): Promise<Result> => {
    const store = await LocalStore.open(folder, { create, clock: systemClock });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  };
  return {
    folder,
    keep: (image, name, pulled) =>
      withStore(true, async (store) => {
        const reference = parseReference(name);
        await image.pushAll(
          store.openRepository(reference),
          reference.digest ?? reference.tag ?? 'latest',
        );
        if (pulled !== undefined) await store.recordPulled(reference, pulled);
      }),
    names: () => withStore(false, async (store) => (await store.images()).map(({ name }) => name)),
    run: async (argv, options) => {
      const io = fakeIo({
        cwd: temporaryFolder('cwd'),
        ...options,
        env: { REGI_DATA: folder, ...options?.env },
      });
      return { status: await main(argv, io), io };
    },
  };
}
