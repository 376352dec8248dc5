import type { Descriptor } from '../../oci/descriptor.ts';

/**
 * What happens while images are copied: one stream of facts that progress lines, JSON and the summary are all made from.
 * `image` is the destination's name as a person reads it. A node is named once by its ending (skipped, copied, mounted),
 * whatever number of images share it.
 */
export type CopyEvent =
  /** So many images are to be moved. Told once it is known, where a command names several; a later one takes its place. */
  | { readonly kind: 'listed'; readonly images: number }
  /** The root of an image is known and pinned. */
  | { readonly kind: 'resolved'; readonly image: string; readonly root: Descriptor }
  /** The name already points at that very root; nothing was walked. */
  | { readonly kind: 'unchanged'; readonly image: string; readonly root: Descriptor }
  /** The name points at something else, and stays so because that was asked for; `root` is what it points at. */
  | { readonly kind: 'kept'; readonly image: string; readonly root: Descriptor }
  /** A node has to be at the destination: what becomes of it is told by its ending. Not told of the root of an image. */
  | { readonly kind: 'found'; readonly target: Descriptor; readonly to: string }
  /** A node's bytes begin to move. A restart is another `started`: what was counted for the node before is void. */
  | {
      readonly kind: 'started';
      readonly target: Descriptor;
      readonly from: string;
      readonly to: string;
    }
  /** `bytes` of a node are at the destination since an earlier run, or an attempt before this one, and do not move. Told once behind `started`. */
  | {
      readonly kind: 'resumed';
      readonly target: Descriptor;
      readonly bytes: number;
      readonly to: string;
    }
  /** `bytes` more of a node have moved. */
  | {
      readonly kind: 'progress';
      readonly target: Descriptor;
      readonly bytes: number;
      readonly to: string;
    }
  /** The node is at the destination now. `from` is the repository of the destination it was mounted from. */
  | { readonly kind: 'skipped' | 'copied'; readonly target: Descriptor; readonly to: string }
  | {
      readonly kind: 'mounted';
      readonly target: Descriptor;
      readonly from: string;
      readonly to: string;
    }
  /** A node was read as far as somebody wanted it, and is nowhere else for that: `to` is no repository. */
  | { readonly kind: 'read'; readonly target: Descriptor; readonly to: string }
  /** A foreign layer: its content stays at its own URLs. */
  | { readonly kind: 'foreign'; readonly target: Descriptor; readonly to: string }
  /** The image is whole at the destination and has its name. */
  | { readonly kind: 'tagged'; readonly image: string; readonly root: Descriptor }
  | { readonly kind: 'failed'; readonly image: string; readonly error: unknown }
  | { readonly kind: 'warning'; readonly message: string; readonly hint?: string | undefined }
  /** Something that a person may want to know, and that is no reason to worry. */
  | { readonly kind: 'note'; readonly message: string };

export type OnEvent = (event: CopyEvent) => void;
