import type { Digest } from '../oci/digest.ts';
import { formatBlobList, OMITTED_RECORD, type CarriedBlob } from '../tar/carried-blobs.ts';
import type { ImageSet } from './collect-images.ts';

/** What an archive leaves out, and the file that says so. */
export interface Omission {
  readonly omit: ReadonlySet<Digest>;
  readonly extra: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** What of a set the reader has already. Configs travel each time: they are small, and what lists an image reads them. */
export function omissionOf(set: ImageSet, earlier: ReadonlyMap<Digest, CarriedBlob>): Omission {
  const configs = new Set([...set.manifests.values()].flatMap(({ manifest }) => (manifest.kind === 'image' ? [manifest.config.digest] : [])));
  const omitted = [...set.blobs.values()].flatMap(({ descriptor: { digest, size } }) => {
    const known = configs.has(digest) ? undefined : earlier.get(digest);
    return known === undefined || known.size !== size ? [] : [known];
  });
  const extra = omitted.length === 0 ? [] : [{ name: OMITTED_RECORD, bytes: formatBlobList('omitted', omitted) }];
  return { omit: new Set(omitted.map(({ digest }) => digest)), extra };
}
