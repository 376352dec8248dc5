import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Bytes, FetchOptions, Source } from '../../store.ts';

/** Content that regi makes, or has from a file. */
export interface MadeNode {
  readonly descriptor: Descriptor;
  readonly read: (options?: FetchOptions) => Bytes;
}

/** A node of a few bytes: a JSON document. */
function madeNode(mediaType: string, bytes: Uint8Array): MadeNode {
  return {
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength },
    read: ({ offset = 0 } = {}) => ({
      async *[Symbol.asyncIterator]() {
        if (offset < bytes.byteLength) yield bytes.subarray(offset);
      },
    }),
  };
}

/** The same of a value, as JSON without spaces. */
export function madeJson(mediaType: string, value: unknown): MadeNode {
  return madeNode(mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

/** Made content as a source, so that it goes wherever `copyImages()` takes images. */
export function madeSource(nodes: readonly MadeNode[]): Source {
  const byDigest = new Map<string, MadeNode>(nodes.map((node) => [node.descriptor.digest, node]));
  const find = (digest: string): MadeNode => {
    const node = byDigest.get(digest);
    if (node === undefined)
      throw new RegiError('NOT_FOUND', `Cannot find ${digest} among what was made`);
    return node;
  };
  return {
    place: 'made',
    repository: '',
    resolve: async (reference) => find(reference).descriptor,
    fetch: ({ digest }, options) => find(digest).read(options),
    exists: async ({ digest }) => byDigest.has(digest),
  };
}
