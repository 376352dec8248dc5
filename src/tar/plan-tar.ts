import type { Bytes } from '../store.ts';
import { BLOCK_BYTES, encodeHeader, paddingOf, type NewEntry } from './header.ts';

/** A file and its place in a tar. */
export interface PlacedFile<File extends NewEntry> {
  /** The planned file. */
  readonly file: File;
  /** Its header, extensions included. */
  readonly header: Uint8Array;
  /** Position of the header. */
  readonly position: number;
  /** Position of the content. */
  readonly offset: number;
}

/** A tar whose every byte but the contents is known. */
export interface TarPlan<File extends NewEntry> {
  /** The files, in their order. */
  readonly files: readonly PlacedFile<File>[];
  /** Position of the two blocks of zeros that end it. */
  readonly end: number;
  /** Bytes of the whole tar. */
  readonly size: number;
}

/**
 * Plans the place of each file, in their order. The same files give the same bytes: nothing depends
 * on time or user.
 */
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
 * Yields the bytes of the tar in order, for outputs without random access. Contents are opened one
 * after the other.
 *
 * @throws {Error} when a content has another size than planned, because its header would be wrong.
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
      throw new Error(`Cannot write "${file.name}": expected ${file.size} bytes`);
    const padding = paddingOf(file.size);
    if (padding > 0) yield new Uint8Array(padding);
  }
  yield new Uint8Array(plan.size - plan.end);
}
