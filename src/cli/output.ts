import type { CommandBody } from '../command.ts';
import type { Context } from '../context.ts';
import type { TextOutput } from '../io.ts';
import { printable } from '../redact.ts';

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
      try {
        await output.write(content);
      } catch (error) {
        if (!isReaderGone(error)) throw error;
        writer.gone = true;
      }
    },
  };
  return writer;
}

/** Whether a write failed because the reading end was closed, as `head` does. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
}

/** Also for errors: one line, characters that could disturb a terminal escaped. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, escapeJson)}\n`;
}

function textOf(text: string | Uint8Array): string | Uint8Array {
  if (typeof text !== 'string' || text === '') return text;
  const safe = text.replace(/[^\n\t]+/g, (part) => printable(part));
  return safe.endsWith('\n') ? safe : `${safe}\n`;
}

function escapeJson(character: string): string {
  // Escapes of JSON are of UTF-16 units: a character outside the basic plane has two.
  return [...Array(character.length).keys()].map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join('');
}
