import { RegiError } from '../errors.ts';
import type { TextOutput } from '../io.ts';

/** Standard output took only a part of an archive: whoever has that part has nothing. */
export class ArchiveCutError extends RegiError {
  readonly code = 'STORAGE_FAILED';

  constructor(cause: Error) {
    const isGone = 'code' in cause && (cause.code === 'EPIPE' || cause.code === 'ERR_STREAM_DESTROYED');
    super(`Cannot write the archive to standard output: ${isGone ? 'the program that reads it has ended' : cause.message}`, {
      hint: isGone ? 'the archive is not whole; see what that program says' : 'the archive is not whole; free some space where it goes, or send it elsewhere',
      cause,
    });
  }
}

/**
 * Standard output as the place of an archive.
 *
 * @throws {ArchiveCutError} from the function that it gives, when no more can be written.
 */
export function archivePipe(output: TextOutput): (chunk: Uint8Array) => Promise<void> {
  return async (chunk) => {
    try {
      await output.write(chunk);
    } catch (error) {
      throw error instanceof Error ? new ArchiveCutError(error) : error;
    }
  };
}
