const MIB = 1024 * 1024;

/** What a registry takes in one request of a chunked upload. Bytes. */
interface ChunkLimits {
  readonly host: RegExp;
  readonly min?: number;
  readonly max?: number;
  /** False where an upload is one request whatever its size. */
  readonly canChunk?: boolean;
}

/**
 * Registries with limits of their own. They do not tell them by `OCI-Chunk-Min-Length`.
 *
 * @see https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html
 * @see https://cloud.google.com/artifact-registry/docs/reference/docker-api
 */
const KNOWN: readonly ChunkLimits[] = [
  // 416 with "exceeds the maximum permissible limit of 4.00MiB".
  { host: /^ghcr\.io$/, max: 4 * MIB },
  { host: /^(?:public\.ecr\.aws|\d+\.dkr[.-]ecr[a-z-]*\..+)$/, min: 5 * MIB, max: 20 * MIB },
  { host: /^(?:.*\.)?gcr\.io$|\.pkg\.dev$/, canChunk: false },
];

/** Fits between what ECR takes at least and what most proxies take at most. */
const FIRST_CHUNK = 5 * MIB;
/** A server that takes less does not want uploads. */
const SMALLEST_CHUNK = 64 * 1024;

/** How much may be sent to one registry at once: what the user said, what is known of it, and what it was seen to refuse. */
export class UploadSizes {
  readonly #limits: ChunkLimits | undefined;
  /** Largest body to send; undefined while nothing speaks against any. */
  #largest: number | undefined;

  /**
   * @param host without its port.
   * @param chunkSize what the user asked for, in bytes.
   */
  constructor(host: string, chunkSize: number | undefined) {
    this.#limits = KNOWN.find((known) => known.host.test(host));
    this.#largest = chunkSize;
  }

  /** What is known of the registry beforehand. */
  get known(): Pick<ChunkLimits, 'min' | 'max' | 'canChunk'> | undefined {
    return this.#limits;
  }

  /**
   * Bytes to send in each request of an upload of `size` bytes; undefined to send them in one.
   *
   * @param minimum what the registry asked for with `OCI-Chunk-Min-Length`.
   */
  chunkFor(size: number, minimum = 0): number | undefined {
    if (this.#largest === undefined || this.#limits?.canChunk === false) return undefined;
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = this.#limits ?? {};
    const chunk = Math.max(Math.min(this.#largest, max), min, minimum);
    return chunk < size ? chunk : undefined;
  }

  /**
   * Bytes to send in each request when an upload goes on with its last `size` bytes; undefined where that cannot be done.
   *
   * @param minimum what the registry asked for with `OCI-Chunk-Min-Length`.
   */
  chunkToContinue(size: number, minimum = 0): number | undefined {
    const { canChunk = true, max = Number.MAX_SAFE_INTEGER, min = 0 } = this.#limits ?? {};
    return canChunk
      ? Math.min(size, Math.max(Math.min(this.#largest ?? size, max), min, minimum))
      : undefined;
  }

  /**
   * Remembers that a body of `size` bytes was too large (status 413).
   *
   * @returns whether a smaller one is worth a try.
   */
  refused(size: number): boolean {
    if (
      this.#limits?.canChunk === false ||
      size <= Math.max(SMALLEST_CHUNK, this.#limits?.min ?? 0)
    )
      return false;
    const smaller = size > FIRST_CHUNK ? FIRST_CHUNK : Math.ceil(size / 2);
    this.#largest = Math.min(this.#largest ?? smaller, smaller);
    return true;
  }
}
