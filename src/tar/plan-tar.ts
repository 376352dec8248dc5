import type { Bytes } from '../store.ts';
import { BLOCK_BYTES, encodeHeader, paddingOf, type NewEntry } from './header.ts';

/** A file and where it goes. */
export interface PlacedFile<File extends NewEntry> {
  /** The planned file. */
  readonly file: File;
  /** Its header, extensions included. */
  readonly header: Uint8Array;
  /** Where the header begins. */
  readonly position: number;
  /** Where the content begins. */
  readonly offset: number;
}

/** A tar of which every byte but the contents is known. */
export interface TarPlan<File extends NewEntry> {
  /** The files, in their order. */
  readonly files: readonly PlacedFile<File>[];
  /** Where the two blocks of zeros begin that end it. */
  readonly end: number;
  /** Bytes of the whole tar. */
  readonly size: number;
}

/** Content of another size than its header says. */
export class WrongSizeError extends Error {}

/** Says where each file goes, in the order given. The same files give the same bytes: nothing depends on time or user. */
export function planTar<File extends NewEntry>(files: readonly File[]): TarPlan<File> {
  const placed: PlacedFile<File>[] = [];
  let position = 0;
  for (const file of files) {
    const header = encodeHeader(file);
    const offset = position + header.byteLength;
    placed.push({ file, header, position, offset });
    position = offset + file.size + paddingOf(file.size);
  }
  return { files: placed, end: position, size: position + 2 * BLOCK_BYTES };
}

/**
 * The bytes of the tar from the first to the last, for what cannot be seeked. Contents are opened one after the other.
 *
 * @throws {WrongSizeError} when a content has another size than planned: what follows would be nonsense to a reader.
 */
export async function* tarBytes<File extends NewEntry>(
  plan: TarPlan<File>,
  open: (file: File) => Bytes,
): AsyncGenerator<Uint8Array> {
  for (const { file, header } of plan.files) {
    yield header;
    let size = 0;
    for await (const chunk of open(file)) {
      size += chunk.byteLength;
      if (size > file.size) break;
      yield chunk;
    }
    if (size !== file.size)
      throw new WrongSizeError(`Cannot write "${file.name}": expected ${file.size} bytes`);
    const padding = paddingOf(file.size);
    if (padding > 0) yield new Uint8Array(padding);
  }
  yield new Uint8Array(plan.size - plan.end);
}
