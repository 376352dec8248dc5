import type { Settings } from '../../context.ts';
import { assertNever } from '../../errors.ts';
import type { Io } from '../../io.ts';
import { isCiJob } from '../parse/settings.ts';
import type { Fold, StatusArea } from '../output/status-area.ts';
import { jsonPlan, jsonProgress } from './json.ts';
import { liveProgress } from './live.ts';
import { plainProgress } from './plain.ts';
import type { Progress } from './progress.ts';

export interface ProgressStyle {
  /** True for `--dry-run`. */
  readonly isPlan: boolean;
  /** True if the command prints a summary itself. */
  readonly summarises?: boolean | undefined;
}

const NO_PROGRESS: Progress = {
  showsMessages: false,
  onEvent: () => undefined,
  end: () => undefined,
};

/** Creates the progress display that the flags and the terminal call for. */
export function createProgress(
  settings: Settings,
  { isPlan, summarises = false }: ProgressStyle,
  io: Io,
  area: StatusArea,
): Progress {
  switch (settings.progress) {
    case 'none':
      return NO_PROGRESS;
    case 'json':
      return jsonProgress(io.clock, isPlan, area);
    case 'plain':
      return plainProgress({ clock: io.clock, isPlan, summarises, fold: foldOf(io.env) }, area);
    case 'auto':
      // A plan transfers nothing that a live view could show.
      if (canRedraw(io) && !isPlan) return liveProgress(io, { summarises }, area);
      // Programs that read JSON from standard output may read standard error too.
      if (settings.json) return isPlan ? jsonPlan(io.clock, area) : NO_PROGRESS;
      return plainProgress({ clock: io.clock, isPlan, summarises, fold: undefined }, area);
    default:
      return assertNever(settings.progress);
  }
}

/**
 * True if standard error is a terminal that redraws lines. Some CI services run jobs at a terminal:
 * their logs would be full of redrawn lines.
 */
export function canRedraw({ stderr, env }: Io): boolean {
  return stderr.isTTY && env['TERM'] !== 'dumb' && !isCiJob(env);
}

/** Only `--progress plain` folds: without it, the lines of a log stay in sight. */
function foldOf(env: Io['env']): Fold | undefined {
  if (env['GITHUB_ACTIONS'] === 'true') return 'github';
  return env['GITLAB_CI'] === 'true' ? 'gitlab' : undefined;
}
