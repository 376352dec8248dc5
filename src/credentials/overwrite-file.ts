import { open, type FileHandle } from 'node:fs/promises';

/**
 * Writes a text over that of a file which cannot be replaced, because it is a mount of its own: a container's `config.json`. It is in one
 * write, and what the old text had more of is blanks until it is cut off, which JSON ignores: who reads meanwhile reads the one or the other.
 * A text that does not fit is taken back. Only a machine that dies in that moment leaves neither whole.
 *
 * @param mode of the file from before the text is in it.
 * @throws what the system says, with the old text in place.
 */
export async function overwriteFile(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.chmod(mode);
    const before = await file.readFile();
    try {
      await overwrite(file, Buffer.from(text), before.byteLength);
    } catch (error) {
      await overwrite(file, before, 0);
      throw error;
    }
  } finally {
    await file.close();
  }
}

async function overwrite(file: FileHandle, bytes: Buffer, sizeBefore: number): Promise<void> {
  const blanks = Buffer.alloc(Math.max(0, sizeBefore - bytes.byteLength), ' ');
  const all = Buffer.concat([bytes, blanks]);
  for (let written = 0; written < all.byteLength;) {
    written += (await file.write(all, written, all.byteLength - written, written)).bytesWritten;
  }
  await file.truncate(bytes.byteLength);
  await file.sync();
}
