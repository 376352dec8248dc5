import type { Descriptor } from '../oci/descriptor.ts';
import { isManifestType } from '../oci/media-types.ts';
import type { Tally } from '../operations/copy/totals.ts';
import { canMount, canProve, type Store } from '../store.ts';
import { decorate } from '../stores/decorators/decorate.ts';

/** The blobs that a copy would move, counted for the first image that needs each. */
export interface PlannedChanges {
  readonly upload: Tally;
  readonly mount: Tally;
  readonly existing: Tally;
}

/** Counts the changes of one image to a store, which is meant to be one of a dry run. */
export function recordChanges(store: Store): {
  readonly store: Store;
  readonly changes: () => PlannedChanges;
} {
  const found = new Map<string, { readonly kind: keyof PlannedChanges; readonly size: number }>();
  const add = (kind: keyof PlannedChanges, { mediaType, digest, size }: Descriptor): void => {
    // A blob that exists is reported as such again after it was planned.
    if (isManifestType(mediaType) || (kind === 'existing' && found.has(digest))) return;
    found.set(digest, { kind, size });
  };
  const tally = (kind: keyof PlannedChanges): Tally => {
    const own = [...found.values()].filter((one) => one.kind === kind);
    return { nodes: own.length, bytes: own.reduce((sum, { size }) => sum + size, 0) };
  };
  const [mounter, prover] = [
    canMount(store) ? store : undefined,
    canProve(store) ? store : undefined,
  ];
  return {
    store: decorate(store, {
      async exists(target, options) {
        const isThere = await store.exists(target, options);
        if (isThere) add('existing', target);
        return isThere;
      },
      async push(target, content, options) {
        await store.push(target, content, options);
        add('upload', target);
      },
      ...(mounter !== undefined && {
        async mount(target, from, content, options) {
          const outcome = await mounter.mount(target, from, content, options);
          add('mount', target);
          return outcome;
        },
      }),
      ...(prover !== undefined && {
        async prove(target, options) {
          const isProved = await prover.prove(target, options);
          if (isProved) add('existing', target);
          return isProved;
        },
      }),
    }),
    changes: () => ({
      upload: tally('upload'),
      mount: tally('mount'),
      existing: tally('existing'),
    }),
  };
}
