import type { CommandSpec, ParsedArguments } from '../command.ts';
import type { Settings } from '../context.ts';
import { RegiError } from '../errors.ts';
import type { Io } from '../io.ts';
import { quotePath } from '../quote.ts';
import { printable } from '../redact.ts';
import { createContext } from './create-context.ts';
import { Failures } from './output/failures.ts';
import { rowWriter, type RowWriter } from './output/output.ts';
import { createProgress } from './progress/create-progress.ts';
import { StepSummary } from './progress/step-summary.ts';
import type { Progress } from './progress/progress.ts';
import type { Paint } from './output/paint.ts';
import type { StatusArea } from './output/status-area.ts';

export interface Invocation {
  readonly spec: CommandSpec;
  readonly args: ParsedArguments;
  readonly settings: Settings;
  /** Colours of standard output. */
  readonly paint: Paint;
}

/**
 * Runs a command and writes its rows.
 *
 * @throws the error of the command; after `io.signal` has aborted, its reason.
 */
export async function runCommand(
  { spec, args, settings, paint }: Invocation,
  io: Io,
  area: StatusArea,
): Promise<void> {
  const isPlan = args.options['dry-run'] === true;
  const summary = args.options['summary'] === true ? new StepSummary(io, { isPlan }) : undefined;
  const progress = withSummary(
    createProgress(settings, { isPlan, summarises: spec.summarises === true }, io, area),
    summary,
  );
  const failures = new Failures();
  const context = createContext(io, settings, progress, area, failures);
  let completed = false;
  let rows: RowWriter | undefined;
  try {
    io.signal.throwIfAborted();
    if (io.unreadableHome !== undefined)
      context.warn(
        `Cannot read ${quotePath(io.unreadableHome)} in the home of another user: its settings and logins are not used`,
        'set HOME to a folder of yours',
      );
    const body = await spec.load();
    rows = rowWriter(io.stdout, body, context, { area, paint });
    for await (const row of body.run(args, context)) {
      const writing = rows.write(row);
      if (writing !== undefined) await writing;
      if (rows.gone && spec.changes !== true) break;
    }
    await rows.flush();
    completed = true;
  } catch (error) {
    // Errors of the shutdown say less than its reason.
    if (io.signal.aborted) throw io.signal.reason;
    completed = error instanceof RegiError && error.code === 'PARTIAL_FAILURE';
    throw error;
  } finally {
    // Rows before a failure are valid. If they cannot be written either, the first failure says
    // more.
    await rows?.flush().catch(() => undefined);
    progress.end(completed);
    await summary?.write();
    for (const line of failures.lines()) area.print(printable(line));
    await area.flush();
  }
}

function withSummary(progress: Progress, summary: StepSummary | undefined): Progress {
  if (summary === undefined) return progress;
  return {
    ...progress,
    onEvent(event) {
      summary.add(event);
      progress.onEvent(event);
    },
  };
}
