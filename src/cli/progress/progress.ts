import type { Descriptor } from '../../oci/descriptor.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';

/** Shows the events of one command on standard error. */
export interface Progress {
  /** True if warnings and failures are shown as events, so that nothing else prints them. */
  readonly showsMessages: boolean;
  /** True while a transfer is drawn. */
  readonly isDrawing?: (() => boolean) | undefined;
  onEvent(event: CopyEvent): void;
  /**
   * Called after the last event.
   *
   * @param completed whether the command reached its end, so that a summary makes sense.
   */
  end(completed: boolean): void;
}

/** Identifies the transfer of a blob or manifest: the same one may go to several repositories. */
export function transferKey({ target, to }: { target: Descriptor; to: string }): string {
  return `${to} ${target.digest}`;
}
