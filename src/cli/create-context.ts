import type { Context, Settings } from '../context.ts';
import type { Io } from '../io.ts';
import { printable } from '../redact.ts';
import { errorObject, errorText } from './error-text.ts';
import { jsonLine } from './output.ts';
import type { Progress } from './progress.ts';
import type { StatusArea } from './status-area.ts';

/** What a command is given: everything it says goes to the status area, as `settings` wants it. */
export function createContext(io: Io, settings: Settings, progress: Progress, area: StatusArea): Context {
  const warn = (message: string, hint?: string): void => {
    if (!settings.quiet) area.print(warningText(message, hint, settings));
  };
  return {
    io,
    settings,
    signal: io.signal,
    warn,
    note: (message) => {
      // With --json, all that stands on standard error is JSON; what a note says is in the answer too.
      if (!settings.quiet && !settings.json) area.print(printable(message));
    },
    log: (line) => {
      if (settings.verbosity > 0 && !settings.quiet) area.print(printable(line));
    },
    onEvent: (event) => {
      progress.onEvent(event);
      if (progress.showsMessages) return;
      if (event.kind === 'warning') warn(event.message, event.hint);
      if (event.kind === 'failed') area.print(failureText(event.error, settings));
    },
  };
}

/** An error as the flags want it, without its last newline. */
export function failureText(error: unknown, { json, verbosity }: Pick<Settings, 'json' | 'verbosity'>): string {
  return json ? jsonLine({ error: errorObject(error) }).trimEnd() : errorText(error, verbosity > 0);
}

function warningText(message: string, hint: string | undefined, { json }: Settings): string {
  if (json) return jsonLine({ warning: { message, hint } }).trimEnd();
  return `regi: warning: ${printable(message)}${hint === undefined ? '' : `\n  ${printable(hint)}`}`;
}
