import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes, CallOptions } from '../store.ts';
import type { NewEntry } from './header.ts';
import type { PlacedFile, TarPlan } from './plan-tar.ts';

/** One file of a new image archive: a small one in memory, or a node of the source. */
export type ArchivePart = NewEntry &
  (
    | {
        readonly kind: 'made';
        readonly bytes: Uint8Array;
        /** The manifest in it. */
        readonly target?: Descriptor | undefined;
      }
    | { readonly kind: 'node'; readonly target: Descriptor }
  );

/** An archive that is known but for the bytes of its nodes. */
export type ArchivePlan = TarPlan<ArchivePart>;

/** Opens a node at a position. */
export type OpenAt = (offset: number) => Bytes;

/** The output of an archive. */
export type ArchiveTarget =
  /** A regular file: parts may be written in any order, several at once. */
  | {
      readonly kind: 'file';
      /**
       * Writes one part at its place, verified. Bytes of an earlier, killed run are proved again,
       * and not fetched again.
       *
       * @returns the number of those bytes.
       * @throws {ContentMismatchError} when the bytes are not those of the part.
       */
      write(place: PlacedFile<ArchivePart>, open: OpenAt, options?: CallOptions): Promise<number>;
    }
  /** A pipe: all bytes are written in order. */
  | { readonly kind: 'stream'; write(chunk: Uint8Array): Promise<void> };

/**
 * Runs `work` with the output of the planned archive. The archive appears only when `work` has
 * succeeded.
 */
export type WriteArchive = (
  plan: ArchivePlan,
  work: (target: ArchiveTarget) => Promise<void>,
) => Promise<void>;
