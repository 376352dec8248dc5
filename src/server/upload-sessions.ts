import { randomUUID } from 'node:crypto';

import type { Clock } from '../clock.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes } from '../store.ts';
import { RefusedRequestError } from './errors.ts';
import type { Spool, SpoolFile } from './spool.ts';

export interface UploadLimits {
  /**
   * Uploads in progress at once. A new one evicts the one idle longest, because each failed mount
   * leaves a session behind.
   */
  readonly sessions: number;
  /** Bytes of all uploads in progress together. */
  readonly bytes: number;
  /** Time after which an idle upload ends. Milliseconds. */
  readonly idleMs: number;
}

export const UPLOAD_LIMITS: UploadLimits = {
  sessions: 1000,
  bytes: 1024 ** 4,
  idleMs: 60 * 60 * 1000,
};

/** An upload in progress. */
export interface UploadSession {
  readonly id: string;
  readonly repository: string;
  /** Bytes received. */
  readonly size: number;
  /** The blob, if its bytes go straight to the store, which keeps partial content. */
  readonly target: Descriptor | undefined;
  /**
   * True if the store has `target`. It may have every byte and not the blob, if the client
   * disconnected at that moment.
   */
  readonly isKept: boolean;
}

interface OpenSession {
  readonly id: string;
  readonly repository: string;
  size: number;
  /** Bytes counted against the limit; slightly ahead of `size` while a chunk arrives. */
  reserved: number;
  file: SpoolFile | undefined;
  target: Descriptor | undefined;
  isKept: boolean;
  /** Frees the partial `target` in the store. */
  discard: () => Promise<void>;
  busy: boolean;
  ended: boolean;
  lastUsedMs: number;
}

/** Bytes collected before each write: requests arrive in pieces of 64 KiB and less. */
const BATCH_BYTES = 1024 * 1024;

/** The uploads in progress of a server. */
export class UploadSessions {
  readonly #sessions = new Map<string, OpenSession>();
  readonly #spool: Spool;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #limits: UploadLimits;
  #bytes = 0;

  constructor(spool: Spool, clock: Pick<Clock, 'now'>, limits: UploadLimits = UPLOAD_LIMITS) {
    this.#spool = spool;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Starts an upload.
   *
   * @throws {RefusedRequestError} with 429 when all sessions are being written to.
   */
  async start(repository: string): Promise<UploadSession> {
    await this.expire();
    if (this.#sessions.size >= this.#limits.sessions) await this.#evict();
    const session: OpenSession = {
      id: randomUUID(),
      repository,
      size: 0,
      reserved: 0,
      file: undefined,
      target: undefined,
      isKept: false,
      discard: async () => undefined,
      busy: false,
      ended: false,
      lastUsedMs: this.#clock.now(),
    };
    this.#sessions.set(session.id, session);
    return session;
  }

  /**
   * @throws {RefusedRequestError} BLOB_UPLOAD_UNKNOWN when the repository has no such upload in
   *   progress.
   */
  find(repository: string, id: string): UploadSession {
    return this.#find(repository, id);
  }

  /**
   * Runs `work` with exclusive access to the upload.
   *
   * @throws {RefusedRequestError} RANGE_INVALID when another request writes to it: chunks come in
   *   order, one at a time.
   */
  async exclusively<T>({ repository, id }: UploadSession, work: () => Promise<T>): Promise<T> {
    const session = this.#find(repository, id);
    if (session.busy)
      throw new RefusedRequestError(
        'RANGE_INVALID',
        'Cannot accept the chunk: another chunk of this upload is in progress',
      );
    session.busy = true;
    try {
      return await work();
    } finally {
      session.busy = false;
      session.lastUsedMs = this.#clock.now();
      if (session.ended) await this.#free(session);
    }
  }

  /**
   * Appends bytes. If the client is cut off, the bytes so far stay and the upload can be resumed.
   *
   * @throws {RefusedRequestError} SIZE_INVALID when all uploads together would exceed the limit.
   */
  async append({ repository, id }: UploadSession, content: Bytes): Promise<void> {
    const session = this.#find(repository, id);
    const batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
    let used = 0;
    const flush = async (): Promise<void> => {
      if (used === 0) return;
      session.file ??= await this.#spool.create();
      await session.file.append(batch.subarray(0, used));
      session.size += used;
      used = 0;
    };
    try {
      for await (const chunk of content) {
        if (session.ended) throw unknownUpload();
        this.#reserve(session, chunk.byteLength);
        for (let taken = 0; taken < chunk.byteLength;) {
          const piece = chunk.subarray(taken, taken + BATCH_BYTES - used);
          batch.set(piece, used);
          used += piece.byteLength;
          taken += piece.byteLength;
          if (used === BATCH_BYTES) await flush();
        }
      }
    } finally {
      await flush();
    }
  }

  /**
   * Sends further bytes straight to the store.
   *
   * @param discard called when the upload ends, finished or not; frees the partial blob in the
   *   store.
   */
  goStraight(
    { repository, id }: UploadSession,
    target: Descriptor,
    discard: () => Promise<void>,
  ): void {
    const session = this.#find(repository, id);
    session.target = target;
    session.discard = discard;
  }

  /** Counts bytes that the store has accepted. */
  count({ repository, id }: UploadSession, bytes: number): void {
    const session = this.#find(repository, id);
    this.#reserve(session, bytes);
    session.size += bytes;
  }

  /** Records that the store has the whole blob, from this upload or another. */
  kept({ repository, id }: UploadSession): void {
    const session = this.#find(repository, id);
    session.isKept = true;
    session.size = session.target?.size ?? session.size;
  }

  /** The bytes received so far. */
  content({ repository, id }: UploadSession): Bytes {
    return (
      this.#find(repository, id).file?.read() ?? {
        async *[Symbol.asyncIterator]() {
          // No bytes were sent: the blob is empty.
        },
      }
    );
  }

  /** Ends an upload, finished or not, and frees its bytes. */
  async end({ id }: UploadSession): Promise<void> {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    session.ended = true;
    if (!session.busy) await this.#free(session);
  }

  /** Ends uploads that have been idle for too long. */
  async expire(): Promise<void> {
    const oldest = this.#clock.now() - this.#limits.idleMs;
    for (const session of this.#sessions.values()) {
      if (!session.busy && session.lastUsedMs <= oldest) await this.end(session);
    }
  }

  /** Ends all uploads. */
  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await this.end(session);
  }

  #find(repository: string, id: string): OpenSession {
    const session = this.#sessions.get(id);
    if (session === undefined || session.repository !== repository) throw unknownUpload();
    return session;
  }

  async #evict(): Promise<void> {
    const idle = [...this.#sessions.values()]
      .filter((session) => !session.busy)
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs)[0];
    if (idle === undefined)
      throw new RefusedRequestError(
        'TOOMANYREQUESTS',
        `Cannot start an upload: ${this.#sessions.size} are in progress`,
      );
    await this.end(idle);
  }

  #reserve(session: OpenSession, bytes: number): void {
    if (this.#bytes + bytes > this.#limits.bytes) {
      throw new RefusedRequestError(
        'SIZE_INVALID',
        `Cannot accept more bytes: uploads in progress may hold ${this.#limits.bytes} together`,
        { status: 413 },
      );
    }
    this.#bytes += bytes;
    session.reserved += bytes;
  }

  async #free(session: OpenSession): Promise<void> {
    const file = session.file;
    session.file = undefined;
    this.#bytes -= session.reserved;
    session.reserved = 0;
    await file?.close();
    await session.discard();
  }
}

function unknownUpload(): RefusedRequestError {
  return new RefusedRequestError(
    'BLOB_UPLOAD_UNKNOWN',
    'Cannot find the upload: it ended, was idle for too long, or never started',
  );
}
