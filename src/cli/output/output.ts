import type { CommandBody } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { TextOutput } from '../../io.ts';
import { jsonText } from '../../format.ts';
import { printable } from '../../redact.ts';
import type { StatusArea } from './status-area.ts';

/** Standard output goes to a file or device that takes no more. */
function answerNotWrittenError(cause: unknown): RegiError {
  return new RegiError(
    'STORAGE_FAILED',
    `Cannot write to standard output: ${cause instanceof Error ? cause.message : 'unknown reason'}`,
    {
      hint: 'free some space where it goes, or send it elsewhere',
      cause,
    },
  );
}

/** Writes the rows of one command on standard output. */
export interface RowWriter {
  /** Takes a row. It is written when enough rows are there, and at the latest when the command waits for something. */
  write(row: unknown): Promise<void>;
  /** Resolves when all rows that were taken are with the reader. */
  flush(): Promise<void>;
  /** Turns true when nobody reads there any more. */
  readonly gone: boolean;
}

/** Rows that are written together. Few enough that a reader that has gone is noticed before the next page of a listing is asked for. */
const ROWS_AT_ONCE = 128;
/** Characters. */
const TEXT_AT_ONCE = 64 * 1024;

/**
 * Rows as text, or with `--json` as one object a line. What the area prints stands behind the rows that were taken before.
 *
 * @throws {answerNotWrittenError} in `write()` and `flush()`, from the first write that fails on.
 */
export function rowWriter(
  output: TextOutput,
  body: CommandBody<unknown>,
  context: Context,
  area: StatusArea,
): RowWriter {
  let gathered: string[] = [];
  let length = 0;
  let isFirst = true;
  let isScheduled = false;
  let writing: Promise<void> = Promise.resolve();

  async function put(content: string | Uint8Array): Promise<void> {
    if (content.length > 0 && !writer.gone)
      writer.gone = (await writeAnswer(output, content)) === 'gone';
  }

  function flush(): Promise<void> {
    const text = gathered.join('');
    gathered = [];
    length = 0;
    writing = writing.then(() => put(text));
    return writing;
  }

  function flushSoon(): void {
    if (isScheduled) return;
    isScheduled = true;
    // Rows of one answer come without a turn of the event loop between them.
    setImmediate(() => {
      isScheduled = false;
      flush().catch(ignore);
    });
  }

  const writer = {
    gone: false,
    flush,
    async write(row: unknown): Promise<void> {
      const content = context.settings.json
        ? jsonLine(body.json === undefined ? row : body.json(row))
        : textOf(body.text(row, context));
      if (writer.gone || content.length === 0) return;
      if (!area.isQuiet) await area.clear();
      if (typeof content !== 'string') {
        await flush();
        // Bytes are borrowed, so nobody can wait for more of them.
        await put(content);
        return;
      }
      gathered.push(content);
      length += content.length;
      if (isFirst || gathered.length >= ROWS_AT_ONCE || length >= TEXT_AT_ONCE) await flush();
      else flushSoon();
      isFirst = false;
    },
  };
  area.follow(() => flush().catch(ignore));
  return writer;
}

/** Every later write fails as the one that was left alone. */
function ignore(): void {}

/**
 * Writes on standard output. A reader that has gone, as `head` does, is no failure.
 *
 * @throws {AnswerNotWrittenError}
 */
export async function writeAnswer(
  output: TextOutput,
  content: string | Uint8Array,
): Promise<'written' | 'gone'> {
  try {
    await output.write(content);
    return 'written';
  } catch (error) {
    if (isReaderGone(error)) return 'gone';
    throw answerNotWrittenError(error);
  }
}

/** Whether a write failed because the reading end was closed. */
export function isReaderGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED')
  );
}

/** Also for errors: one line, characters that could disturb a terminal escaped. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

/** What most rows are made of, and all of a row: nothing to escape. */
const PLAIN = /^[\n\t\x20-\x7e]*$/;

function textOf(text: string | Uint8Array): string | Uint8Array {
  if (typeof text !== 'string' || text === '') return text;
  const safe = PLAIN.test(text) ? text : text.replace(/[^\n\t]+/g, (part) => printable(part));
  return safe.endsWith('\n') ? safe : `${safe}\n`;
}
