import type { Settings } from '../../context.ts';
import { assertNever } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { jsonProgress } from './json.ts';
import { liveProgress } from './live.ts';
import { plainProgress } from './plain.ts';
import type { StatusArea } from '../output/status-area.ts';

/** Shows the events of one command on standard error. */
export interface Progress {
  /** Whether it shows warnings and failures itself, as events. */
  readonly showsMessages: boolean;
  onEvent(event: CopyEvent): void;
  /** No event follows. `completed`: the command came to its end, so a summary makes sense. */
  end(completed: boolean): void;
}

const NO_PROGRESS: Progress = {
  showsMessages: false,
  onEvent: () => undefined,
  end: () => undefined,
};

export interface ProgressStyle {
  readonly color: boolean;
  /** Nothing is done, only foretold: `--dry-run`. */
  readonly isPlan: boolean;
}

/** Some services run jobs at a terminal, whose output nobody watches: a log of drawings is no log. */
function canDrawOver({ stderr, env }: Io): boolean {
  const isJob = !['', '0', 'false'].includes(env['CI'] ?? '');
  return stderr.isTTY && env['TERM'] !== 'dumb' && !isJob;
}

/** The progress that flags and terminal ask for. */
export function createProgress(
  settings: Settings,
  { color, isPlan }: ProgressStyle,
  io: Io,
  area: StatusArea,
): Progress {
  switch (settings.progress) {
    case 'none':
      return NO_PROGRESS;
    case 'json':
      return jsonProgress(io.clock, isPlan, area);
    case 'plain':
      return plainProgress(io.clock, isPlan, area);
    case 'auto':
      // A plan moves nothing that could be watched, and its lines are what is wanted.
      if (canDrawOver(io) && !isPlan) return liveProgress(io, color, area);
      // Who reads JSON reads it on standard error too.
      return settings.json ? NO_PROGRESS : plainProgress(io.clock, isPlan, area);
    default:
      return assertNever(settings.progress);
  }
}
