import type { CommandBody } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { TextOutput } from '../../io.ts';
import { jsonText } from '../../format.ts';
import { safeText, type Paint } from './paint.ts';
import type { StatusArea } from './status-area.ts';

/** Writes the rows of one command on standard output. */
export interface RowWriter {
  /**
   * Buffers a row. Rows are written when there are enough of them, or when the command waits.
   * Returns nothing for a row that is only buffered: a promise for each of the thousands of rows of
   * a list would cost more than the row.
   */
  write(row: unknown): Promise<void> | undefined;
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

  function contentOf(row: unknown): Promise<string> | string | Uint8Array {
    if (context.settings.json) return jsonLine(body.json === undefined ? row : body.json(row));
    const text = body.text(row, context);
    if (text instanceof Uint8Array) return text;
    // Most lists have rows without a style, and thousands of them.
    return typeof text === 'string' ? asLine(safeText(text)) : paint(text).then(asLine);
  }

  async function writeAlone(content: Uint8Array | Promise<string> | string): Promise<void> {
    const settled = await content;
    if (!area.isQuiet) await area.clear();
    if (typeof settled === 'string') return gather(settled);
    await flush();
    // Bytes are borrowed until the next row, so they are written at once.
    await put(settled);
  }

  function gather(content: string): Promise<void> | undefined {
    if (writer.gone || content.length === 0) return undefined;
    gathered.push(content);
    length += content.length;
    const isDue = isFirst || gathered.length >= ROWS_AT_ONCE || length >= TEXT_AT_ONCE;
    isFirst = false;
    if (isDue) return flush();
    flushSoon();
    return undefined;
  }

  const writer = {
    gone: false,
    flush,
    write(row: unknown): Promise<void> | undefined {
      const content = contentOf(row);
      return typeof content === 'string' && area.isQuiet ? gather(content) : writeAlone(content);
    },
  };
  area.follow(() => flush().catch(ignore));
  return writer;
}

function asLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
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
