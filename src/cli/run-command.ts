import type { CommandSpec, ParsedArguments } from '../command.ts';
import type { Settings } from '../context.ts';
import { RegiError } from '../errors.ts';
import type { Io } from '../io.ts';
import { createContext } from './create-context.ts';
import { rowWriter } from './output.ts';
import { createProgress } from './progress.ts';
import type { StatusArea } from './status-area.ts';

export interface Invocation {
  readonly spec: CommandSpec;
  readonly args: ParsedArguments;
  readonly settings: Settings;
  readonly color: boolean;
}

/**
 * Runs a command to its end and writes its rows.
 *
 * @throws whatever the command throws; once `io.signal` has aborted, its reason.
 */
export async function runCommand({ spec, args, settings, color }: Invocation, io: Io, area: StatusArea): Promise<void> {
  const progress = createProgress(settings, { color, isPlan: args.options['dry-run'] === true }, io, area);
  const context = createContext(io, settings, progress, area);
  let completed = false;
  try {
    io.signal.throwIfAborted();
    const body = await spec.load();
    const rows = rowWriter(io.stdout, body, context, () => area.clear());
    for await (const row of body.run(args, context)) {
      await rows.write(row);
      if (rows.gone && spec.changes !== true) break;
    }
    completed = true;
  } catch (error) {
    // Whatever broke while things were taken down says less than why they were.
    if (io.signal.aborted) throw io.signal.reason;
    completed = error instanceof RegiError && error.code === 'PARTIAL_FAILURE';
    throw error;
  } finally {
    progress.end(completed);
    await area.flush();
  }
}
