import type { CommandBody } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { TextOutput } from '../../io.ts';
import { jsonText } from '../../format.ts';
import type { Styled } from '../../styled.ts';
import { safeText, type Paint } from './paint.ts';
import type { StatusArea } from './status-area.ts';

/** Writes the rows of one command on standard output. */
export interface RowWriter {
  /** Buffers a row. Rows are written when there are enough of them, or when the command waits. */
  write(row: unknown): Promise<void>;
  /** Resolves when every buffered row is written. */
  flush(): Promise<void>;
  /** True once the reader has gone. */
  readonly gone: boolean;
}

export interface RowWriterOptions {
  readonly area: StatusArea;
  /** Colours of standard output. */
  readonly paint: Paint;
}

/**
 * Rows per write. Few enough to notice that the reader has gone before the next page of a list is
 * requested.
 */
const ROWS_AT_ONCE = 128;
/** Characters. */
const TEXT_AT_ONCE = 64 * 1024;

/**
 * Formats rows as text, or with `--json` as one object per line. Keeps their order with the lines
 * of the area.
 *
 * @throws {RegiError} STORAGE_FAILED in `write()` and `flush()`, from the first failed write on.
 */
export function rowWriter(
  output: TextOutput,
  body: CommandBody<unknown>,
  context: Context,
  { area, paint }: RowWriterOptions,
): RowWriter {
  let gathered: string[] = [];
  let length = 0;
  let isFirst = true;
  let isScheduled = false;
  let writing: Promise<void> = Promise.resolve();

  async function put(content: string | Uint8Array): Promise<void> {
    if (content.length > 0 && !writer.gone)
      writer.gone = (await writeStdout(output, content)) === 'gone';
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
    // Rows of one response arrive in the same turn of the event loop.
    setImmediate(() => {
      isScheduled = false;
      flush().catch(ignore);
    });
  }

  async function contentOf(text: Styled | Uint8Array): Promise<string | Uint8Array> {
    if (text instanceof Uint8Array) return text;
    // Most lists have rows without a style, and thousands of them.
    const safe = typeof text === 'string' ? safeText(text) : await paint(text);
    return safe === '' || safe.endsWith('\n') ? safe : `${safe}\n`;
  }

  const writer = {
    gone: false,
    flush,
    async write(row: unknown): Promise<void> {
      const content = context.settings.json
        ? jsonLine(body.json === undefined ? row : body.json(row))
        : await contentOf(body.text(row, context));
      if (writer.gone || content.length === 0) return;
      if (!area.isQuiet) await area.clear();
      if (typeof content !== 'string') {
        await flush();
        // Bytes are borrowed until the next row, so they are written at once.
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

/** A later write reports the same failure. */
function ignore(): void {}

/**
 * Writes to standard output. It is no failure if the reader has gone, as `head` does.
 *
 * @throws {RegiError} STORAGE_FAILED if the file or device takes no more.
 */
export async function writeStdout(
  output: TextOutput,
  content: string | Uint8Array,
): Promise<'written' | 'gone'> {
  try {
    await output.write(content);
    return 'written';
  } catch (error) {
    if (isReaderGone(error)) return 'gone';
    throw new RegiError(
      'STORAGE_FAILED',
      `Cannot write to standard output: ${error instanceof Error ? error.message : 'unknown reason'}`,
      { hint: 'free some space at its destination, or redirect it elsewhere', cause: error },
    );
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

/** Formats an object as one line; characters that could affect a terminal are escaped. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}
