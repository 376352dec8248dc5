import type { Settings } from '../context.ts';
import { assertNever } from '../errors.ts';
import type { Io } from '../io.ts';
import type { CopyEvent } from '../operations/events.ts';
import { jsonProgress } from './progress-json.ts';
import { liveProgress } from './progress-live.ts';
import { plainProgress } from './progress-plain.ts';
import type { StatusArea } from './status-area.ts';

/** Shows the events of one command on standard error. */
export interface Progress {
  /** Whether it shows warnings and failures itself, as events. */
  readonly showsMessages: boolean;
  onEvent(event: CopyEvent): void;
  /** No event follows. `completed`: the command came to its end, so a summary makes sense. */
  end(completed: boolean): void;
}

const NO_PROGRESS: Progress = { showsMessages: false, onEvent: () => undefined, end: () => undefined };

/** The progress that flags and terminal ask for. */
export function createProgress(settings: Settings, color: boolean, io: Io, area: StatusArea): Progress {
  switch (settings.progress) {
    case 'none':
      return NO_PROGRESS;
    case 'json':
      return jsonProgress(io.clock, area);
    case 'plain':
      return plainProgress(io.clock, area);
    case 'auto':
      return io.stderr.isTTY && io.env['TERM'] !== 'dumb' ? liveProgress(io, color, area) : plainProgress(io.clock, area);
    default:
      return assertNever(settings.progress);
  }
}
