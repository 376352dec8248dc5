const MIB = 1024 * 1024;

/** Limits of one request of a chunked upload. Bytes. */
interface ChunkLimits {
  readonly host: RegExp;
  readonly min?: number;
  readonly max?: number;
  /** False if the registry takes uploads of any size in one request only. */
  readonly canChunk?: boolean;
}

/**
 * Registries with limits that they do not announce with `OCI-Chunk-Min-Length`.
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

/** Fits between ECR's minimum and the maximum of most proxies. */
const FIRST_CHUNK = 5 * MIB;
/** A server that refuses this size does not want uploads. */
const SMALLEST_CHUNK = 64 * 1024;

/**
 * Sizes of upload requests to one registry: by the user, by its known limits, and by its refusals.
 */
export class UploadSizes {
  readonly #limits: ChunkLimits | undefined;
  /** Largest body to send; undefined without a limit. */
  #largest: number | undefined;

  /**
   * @param host without its port.
   * @param chunkSize the user's choice, in bytes.
   */
  constructor(host: string, chunkSize: number | undefined) {
    this.#limits = KNOWN.find((known) => known.host.test(host));
    this.#largest = chunkSize;
  }

  /** The known limits of the registry. */
  get known(): Pick<ChunkLimits, 'min' | 'max' | 'canChunk'> | undefined {
    return this.#limits;
  }

  /**
   * Returns the chunk size for an upload of `size` bytes; undefined for a single request.
   *
   * @param minimum the registry's `OCI-Chunk-Min-Length`.
   */
  chunkFor(size: number, minimum = 0): number | undefined {
    if (this.#largest === undefined || this.#limits?.canChunk === false) return undefined;
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = this.#limits ?? {};
    const chunk = Math.max(Math.min(this.#largest, max), min, minimum);
    return chunk < size ? chunk : undefined;
  }

  /**
   * Returns the chunk size for resuming an upload with its last `size` bytes; undefined where
   * uploads cannot be resumed.
   *
   * @param minimum the registry's `OCI-Chunk-Min-Length`.
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
   * @returns true if a smaller one is worth a try.
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
