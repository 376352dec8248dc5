import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Bytes, FetchOptions, Source } from '../../store.ts';

/** Content composed by regi, or read from a local file. */
export interface MemoryNode {
  /** Media type, digest and size of the content. */
  readonly descriptor: Descriptor;
  /** Opens the content. */
  readonly read: (options?: FetchOptions) => Bytes;
}

/** A node whose content is the value as JSON without spaces. */
export function jsonNode(mediaType: string, value: unknown): MemoryNode {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return bytesNode({ mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes);
}

/** A node whose content is in memory. */
export function bytesNode(descriptor: Descriptor, bytes: Uint8Array): MemoryNode {
  return {
    descriptor,
    read: ({ offset = 0 } = {}) => ({
      async *[Symbol.asyncIterator]() {
        if (offset < bytes.byteLength) yield bytes.subarray(offset);
      },
    }),
  };
}

/** A source of the nodes, for `copyImages()`. */
export function memorySource(nodes: readonly MemoryNode[]): Source {
  const byDigest = new Map<string, MemoryNode>(nodes.map((node) => [node.descriptor.digest, node]));
  const find = (digest: string): MemoryNode => {
    const node = byDigest.get(digest);
    if (node === undefined)
      throw new RegiError('NOT_FOUND', `Cannot find ${digest} among the composed content`);
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
