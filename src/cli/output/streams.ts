import type { Readable, Writable } from 'node:stream';

import type { TextInput, TextOutput } from '../../io.ts';
import { UsageError } from '../../errors.ts';

/** Standard output or standard error of a process. */
export type OutputStream = Writable & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
};

/** Standard input of a process. */
export type InputStream = Readable & { readonly isTTY?: boolean | undefined };

/**
 * Adapts a stream. Each write waits until the stream has taken the bytes, so a slow reader slows
 * the command down.
 */
export function textOutput(stream: OutputStream): TextOutput {
  let broken: Error | undefined;
  // Without a listener, an 'error' of the stream would end the process.
  stream.on('error', (error: Error) => {
    broken = error;
  });
  return {
    isTTY: stream.isTTY === true,
    columns: () => stream.columns,
    rows: () => stream.rows,
    async write(chunk) {
      if (broken !== undefined) throw broken;
      await new Promise<void>((resolve, reject) => {
        stream.write(chunk, (error) => (error ? reject(error) : resolve()));
      });
    },
  };
}

/**
 * Adapts standard input.
 *
 * @param open opens standard input on first use, because an open one may keep the process alive.
 * @param screen shows questions and the visible part of replies.
 */
export function textInput(open: () => InputStream, screen: OutputStream): TextInput {
  return {
    get isTTY() {
      return open().isTTY === true;
    },
    async read(limit) {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of open()) {
        const bytes = Buffer.from(chunk as Uint8Array | string);
        size += bytes.byteLength;
        if (size > limit)
          throw new UsageError(`Cannot read standard input: expected at most ${limit} bytes`);
        chunks.push(bytes);
      }
      return Buffer.concat(chunks, size).toString('utf8');
    },
    bytes: () => ({
      async *[Symbol.asyncIterator]() {
        for await (const chunk of open()) yield Buffer.from(chunk as Uint8Array | string);
      },
    }),
    async ask(question, options) {
      const { askAtTerminal } = await import('./ask-at-terminal.ts');
      return askAtTerminal({ input: open(), screen, question, ...options });
    },
  };
}
