import type { Descriptor } from '../../oci/descriptor.ts';

/**
 * An event of a copy. Progress lines, JSON and the summary are all made from this one stream.
 * `image` is the destination's name as people write it. Each node gets exactly one terminal event
 * (skipped, copied, mounted, foreign), however many images share it.
 */
export type CopyEvent =
  /**
   * The number of images is known, where a command names several. A later event replaces an earlier
   * one.
   */
  | { readonly kind: 'listed'; readonly images: number }
  /** The root of an image is known and pinned. */
  | { readonly kind: 'resolved'; readonly image: string; readonly root: Descriptor }
  /** The tag points at that root already; nothing was walked. */
  | { readonly kind: 'unchanged'; readonly image: string; readonly root: Descriptor }
  /**
   * The tag points at another manifest and stays, because overwriting was refused; `root` is that
   * manifest.
   */
  | { readonly kind: 'kept'; readonly image: string; readonly root: Descriptor }
  /**
   * The image has none of the wanted platforms, and is passed over; `root` is that of the source.
   */
  | { readonly kind: 'passed'; readonly image: string; readonly root: Descriptor }
  /**
   * A blob or manifest needs to exist at the destination; one terminal event follows. Not emitted
   * for the root of an image.
   */
  | { readonly kind: 'found'; readonly target: Descriptor; readonly to: string }
  /**
   * The bytes of a node begin to move. Another `started` is a restart: bytes counted for the node
   * before are void.
   */
  | {
      readonly kind: 'started';
      readonly target: Descriptor;
      readonly from: string;
      readonly to: string;
    }
  /**
   * The destination kept `bytes` of a node from an earlier run or attempt; they do not move again.
   * Follows `started`.
   */
  | {
      readonly kind: 'resumed';
      readonly target: Descriptor;
      readonly bytes: number;
      readonly to: string;
    }
  /** Another `bytes` of a node have moved. */
  | {
      readonly kind: 'progress';
      readonly target: Descriptor;
      readonly bytes: number;
      readonly to: string;
    }
  /** The destination has the node: it did before, or it does now. */
  | { readonly kind: 'skipped' | 'copied'; readonly target: Descriptor; readonly to: string }
  /** The destination has the node, mounted from its repository `from`. */
  | {
      readonly kind: 'mounted';
      readonly target: Descriptor;
      readonly from: string;
      readonly to: string;
    }
  /** A node was read as far as needed and is stored nowhere: `to` is no repository. */
  | { readonly kind: 'read'; readonly target: Descriptor; readonly to: string }
  /** A foreign layer: its content stays at its own URLs. */
  | { readonly kind: 'foreign'; readonly target: Descriptor; readonly to: string }
  /** The image is complete at the destination and has its tag. */
  | { readonly kind: 'tagged'; readonly image: string; readonly root: Descriptor }
  /** The image failed, and the others continue. */
  | { readonly kind: 'failed'; readonly image: string; readonly error: unknown }
  | { readonly kind: 'warning'; readonly message: string; readonly hint?: string | undefined }
  /** Information that is no reason to worry. */
  | { readonly kind: 'note'; readonly message: string };

/** Called with each event, in order. */
export type OnEvent = (event: CopyEvent) => void;
