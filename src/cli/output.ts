import type { CommandBody } from '../command.ts';
import type { Context } from '../context.ts';
import { RegiError } from '../errors.ts';
import type { TextOutput } from '../io.ts';
import { jsonText } from '../json-text.ts';
import { printable } from '../redact.ts';

/** Standard output goes to a file or device that takes no more. */
export class AnswerNotWrittenError extends RegiError {
  readonly code = 'STORAGE_FAILED';

  constructor(cause: unknown) {
    super(`Cannot write to standard output: ${cause instanceof Error ? cause.message : 'unknown reason'}`, {
      hint: 'free some space where it goes, or send it elsewhere',
      cause,
    });
  }
}

/** Writes the rows of one command on standard output. `gone` turns true when nobody reads there any more. */
export interface RowWriter {
  write(row: unknown): Promise<void>;
  readonly gone: boolean;
}

/**
 * Rows as text, or with `--json` as one object a line.
 *
 * @param before runs before each write, to get a progress display out of the way.
 */
export function rowWriter(output: TextOutput, body: CommandBody<unknown>, context: Context, before: () => Promise<void>): RowWriter {
  const writer = {
    gone: false,
    async write(row: unknown): Promise<void> {
      const content = context.settings.json ? jsonLine(body.json === undefined ? row : body.json(row)) : textOf(body.text(row, context));
      if (writer.gone || content.length === 0) return;
      await before();
      writer.gone = (await writeAnswer(output, content)) === 'gone';
    },
  };
  return writer;
}

/**
 * Writes on standard output. A reader that has gone, as `head` does, is no failure.
 *
 * @throws {AnswerNotWrittenError}
 */
export async function writeAnswer(output: TextOutput, content: string | Uint8Array): Promise<'written' | 'gone'> {
  try {
    await output.write(content);
    return 'written';
  } catch (error) {
    if (isReaderGone(error)) return 'gone';
    throw new AnswerNotWrittenError(error);
  }
}

/** Whether a write failed because the reading end was closed. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
}

/** Also for errors: one line, characters that could disturb a terminal escaped. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

function textOf(text: string | Uint8Array): string | Uint8Array {
  if (typeof text !== 'string' || text === '') return text;
  const safe = text.replace(/[^\n\t]+/g, (part) => printable(part));
  return safe.endsWith('\n') ? safe : `${safe}\n`;
}
