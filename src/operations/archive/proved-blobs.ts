import { collectVerified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Source } from '../../store.ts';
import { bytesNode, memorySource } from '../edit/memory-source.ts';
import type { CopySession } from '../copy/session.ts';

/** Larger blobs are only looked for. Signatures, and most SBOMs, are smaller. Bytes. */
const KEPT_BLOB_BYTES = 4 * 1024 * 1024;
/** All blobs of an archive that are kept. Bytes. */
const KEPT_BYTES = 64 * 1024 * 1024;

/**
 * Proves blobs before the archive is planned, and keeps their bytes: every byte of a planned archive
 * has its place, so a referrer whose blob fails then would take the images with it.
 */
export class ProvedBlobs {
  #left = KEPT_BYTES;

  /**
   * Returns a source that has the blob.
   *
   * @throws {RegiError} NOT_FOUND when its source lacks it, CONTENT_MISMATCH when the bytes differ.
   */
  async prove(
    session: CopySession,
    source: Source,
    blob: Descriptor,
    signal: AbortSignal,
  ): Promise<Source> {
    const { size, digest } = blob;
    if (size > Math.min(KEPT_BLOB_BYTES, this.#left)) {
      if (await session.ask(source, signal, () => source.exists(blob, { signal }))) return source;
      throw new RegiError('NOT_FOUND', `Cannot find ${digest} in ${source.place}`);
    }
    this.#left -= size;
    const bytes = await session.lanes.run([source.place], size, signal, () =>
      collectVerified(source.fetch(blob, { signal }), blob, KEPT_BLOB_BYTES),
    );
    return memorySource([bytesNode(blob, bytes)]);
  }
}
