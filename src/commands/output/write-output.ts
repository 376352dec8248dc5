import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import type { Bytes } from '../../store.ts';
import { value } from '../arguments/arguments.ts';

/**
 * Writes the file of `-o`, complete or not at all.
 *
 * @param typed the path as typed.
 * @param name an example of a file name, for the hint.
 * @throws {UsageError} when its folder is missing, or the path is a folder, device or pipe.
 */
async function writeOutput(
  typed: string,
  content: Bytes,
  { io, signal }: Context,
  name = 'blob',
): Promise<void> {
  const [{ writeAtomically }, { systemProcesses }, { TempFiles }, { ifPresent }] =
    await Promise.all([
      import('../../disk/atomic-write.ts'),
      import('../../disk/processes.ts'),
      import('../../disk/temp-files.ts'),
      import('../../disk/errno.ts'),
    ]);
  const path = resolve(io.cwd, typed);
  const folder = dirname(path);
  const [found, parent] = await Promise.all(
    [path, folder].map((each) => ifPresent('write', each, stat(each))),
  );
  const refuse = (problem: string, hint: string): UsageError =>
    new UsageError(`Cannot write to ${quote(typed)}: ${problem}`, { hint });
  if (parent === undefined)
    throw refuse(
      `there is no folder ${quote(folder)}`,
      `create it first: mkdir -p ${JSON.stringify(folder)}`,
    );
  if (found?.isDirectory() === true)
    throw refuse(
      'expected a file, found a folder',
      `name a file in it: -o ${typed.replace(/\/+$/, '')}/${name}`,
    );
  // Renaming would replace a device by a file; root could do so even to /dev/null.
  if (found?.isFile() === false)
    throw refuse(
      'expected a file, found a device or pipe',
      'drop -o, and redirect standard output',
    );
  await writeAtomically(path, await new TempFiles(folder, systemProcesses).next(), content, {
    signal,
  });
}

/** A file that was written. */
export interface WrittenFile {
  /** The digest of the blob or image. */
  readonly digest: string;
  /** Bytes of the file. */
  readonly size: number;
  /** As typed. */
  readonly path: string;
}

/**
 * A piece of content for standard output, valid until the next one is requested; or the file that
 * was written.
 */
export type ContentRow = Uint8Array | WrittenFile;

/** Makes a command that prints content, or writes it to the file of `-o`. */
export function contentCommand(run: CommandBody<ContentRow>['run']): CommandBody<ContentRow> {
  return {
    run,
    text: (row) => (row instanceof Uint8Array ? row : ''),
    json: (row) => (row instanceof Uint8Array ? undefined : row),
  };
}

/**
 * Returns the file of `-o`, as typed; undefined for standard output.
 *
 * @param what the content, for messages: `a blob`.
 * @throws {UsageError} for standard output that is a terminal or JSON.
 */
export function contentPath(
  args: ParsedArguments,
  what: string,
  pipeHint: string,
  { io, settings }: Context,
): string | undefined {
  const output = value(args, 'output');
  if (output !== undefined && output !== '-') return output;
  if (settings.json)
    throw new UsageError(`Cannot show ${what} as JSON`, { hint: 'add -o FILE, or drop --json' });
  if (io.stdout.isTTY)
    throw new UsageError(`Cannot show ${what} on a terminal: its bytes may be anything`, {
      hint: `add -o FILE, or ${pipeHint}`,
    });
  return undefined;
}

/** Writes content to a file, or yields it for standard output without a path. */
export async function* contentRows(
  content: Bytes,
  digest: string,
  path: string | undefined,
  context: Context,
  name?: string,
): AsyncIterable<ContentRow> {
  if (path === undefined) {
    yield* content;
    return;
  }
  let size = 0;
  const measured = async function* (): AsyncGenerator<Uint8Array> {
    for await (const bytes of content) {
      size += bytes.byteLength;
      yield bytes;
    }
  };
  await writeOutput(path, { [Symbol.asyncIterator]: measured }, context, name);
  yield { digest, size, path };
}

/**
 * Prepares bytes from a registry for standard output: unchanged for a pipe or file, as text for a
 * terminal, whose writer then escapes control characters.
 */
export function exactBytes(bytes: Uint8Array, { io }: Context): string | Uint8Array {
  return io.stdout.isTTY ? new TextDecoder().decode(bytes) : bytes;
}
