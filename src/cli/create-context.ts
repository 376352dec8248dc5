import type { Context, Settings } from '../context.ts';
import type { Io } from '../io.ts';
import { printable } from '../redact.ts';
import { joined, mapText, plainText, styled, type Styled } from '../styled.ts';
import type { Failures } from './output/failures.ts';
import { errorObject, errorText } from './output/error-text.ts';
import { jsonLine } from './output/output.ts';
import type { Progress } from './progress/progress.ts';
import { createWait, SILENT_WAIT } from './output/waits.ts';
import { canRedraw } from './progress/create-progress.ts';
import type { StatusArea } from './output/status-area.ts';

/**
 * Creates the context of a command. Its messages go to the status area, in the form that the flags
 * call for.
 */
export function createContext(
  io: Io,
  settings: Settings,
  progress: Progress,
  area: StatusArea,
  failures: Failures,
): Context {
  const json = speaksJson(settings);
  const warn = (message: string, hint?: string): void => {
    if (progress.showsMessages) progress.onEvent({ kind: 'warning', message, hint });
    else if (!settings.quiet) area.print(warningText(message, hint, json));
  };
  return {
    io: askingBelow(io, area),
    settings,
    signal: io.signal,
    warn,
    note: (message) => {
      if (settings.quiet) return;
      if (progress.showsMessages) progress.onEvent({ kind: 'note', message: plainText(message) });
      else if (!json) area.print(mapText(message, (text) => printable(text)));
    },
    wait:
      settings.progress === 'auto' && !json && canRedraw(io)
        ? createWait(io, area, { isDrawing: () => progress.isDrawing?.() === true })
        : SILENT_WAIT,
    log: (line) => {
      if (settings.verbosity > 0 && !settings.quiet) area.print(printable(line));
    },
    onEvent: (event) => {
      progress.onEvent(event);
      if (progress.showsMessages) return;
      if (event.kind === 'warning') warn(event.message, event.hint);
      // Programs, and people who ask for more, get each error.
      if (
        event.kind === 'failed' &&
        (json || settings.verbosity > 0 || failures.add(event.image, event.error))
      )
        area.print(failureText(event.error, { json, verbosity: settings.verbosity }));
    },
  };
}

/**
 * Puts questions below the lines that explain them, which may still be on their way to the
 * terminal.
 */
function askingBelow(io: Io, area: StatusArea): Io {
  const { stdin } = io;
  return {
    ...io,
    stdin: {
      get isTTY() {
        return stdin.isTTY;
      },
      read: (limit) => stdin.read(limit),
      bytes: () => stdin.bytes(),
      async ask(question, options) {
        await area.clear();
        return stdin.ask(question, options);
      },
    },
  };
}

/** True if every line on standard error is JSON: with --json, and with --progress json. */
export function speaksJson({ json, progress }: Pick<Settings, 'json' | 'progress'>): boolean {
  return json || progress === 'json';
}

/** Formats an error in the form that the flags call for, without the last newline. */
export function failureText(
  error: unknown,
  { json, verbosity }: Pick<Settings, 'json' | 'verbosity'>,
): Styled {
  return json ? jsonLine({ error: errorObject(error) }).trimEnd() : errorText(error, verbosity > 0);
}

function warningText(message: string, hint: string | undefined, json: boolean): Styled {
  if (json) return jsonLine({ warning: { message, hint } }).trimEnd();
  return joined(
    [
      [styled('changed', 'regi: warning:'), ` ${printable(message)}`],
      ...(hint === undefined ? [] : [styled('detail', `  ${printable(hint)}`)]),
    ],
    '\n',
  );
}
