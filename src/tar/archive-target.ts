import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes, CallOptions } from '../store.ts';
import type { NewEntry } from './header.ts';
import type { PlacedFile, TarPlan } from './plan-tar.ts';

/** One file of an image archive that is written: small and made here, or a node that comes from elsewhere. */
export type ArchivePart = NewEntry &
  (
    | {
        readonly kind: 'made';
        readonly bytes: Uint8Array;
        /** The manifest that it is. */ readonly target?: Descriptor | undefined;
      }
    | { readonly kind: 'node'; readonly target: Descriptor }
  );

/** An archive of which all but the nodes' bytes is known. */
export type ArchivePlan = TarPlan<ArchivePart>;

/** Opens a node at a byte. */
export type OpenAt = (offset: number) => Bytes;

/** Where an archive is written. */
export type ArchiveTarget =
  /** A regular file: parts may come in any order, several at once. */
  | {
      readonly kind: 'file';
      /**
       * Writes one part at its place, verified. What an earlier run that was killed has written is proved again and not opened again.
       *
       * @returns how many bytes were there already.
       * @throws {ContentMismatchError} when the bytes are not those of the part.
       */
      write(place: PlacedFile<ArchivePart>, open: OpenAt, options?: CallOptions): Promise<number>;
    }
  /** A pipe: all bytes come in their order. */
  | { readonly kind: 'stream'; write(chunk: Uint8Array): Promise<void> };

/** Runs `work` with the place where the planned archive goes. It appears only when `work` has ended well. */
export type WriteArchive = (
  plan: ArchivePlan,
  work: (target: ArchiveTarget) => Promise<void>,
) => Promise<void>;
