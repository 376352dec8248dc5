import { randomUUID } from 'node:crypto';

import type { Clock } from '../clock.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes } from '../store.ts';
import { RefusedRequestError } from './errors.ts';
import type { Spool, SpoolFile } from './spool.ts';

export interface UploadLimits {
  /** Unfinished uploads at once. The one idle longest makes room: each mount that fails leaves a session nobody ends. */
  readonly sessions: number;
  /** Bytes of all unfinished uploads together. */
  readonly bytes: number;
  /** How long an upload may be left alone. Milliseconds. */
  readonly idleMs: number;
}

export const UPLOAD_LIMITS: UploadLimits = {
  sessions: 1000,
  bytes: 1024 ** 4,
  idleMs: 60 * 60 * 1000,
};

/** An upload that is not finished. */
export interface UploadSession {
  readonly id: string;
  readonly repository: string;
  /** Bytes received. */
  readonly size: number;
  /** The blob whose bytes go straight to the store, which keeps what has come of it. */
  readonly target: Descriptor | undefined;
  /** Whether the store has `target`: it may have every byte and not have kept them, when the client left at that moment. */
  readonly isKept: boolean;
}

interface OpenSession {
  readonly id: string;
  readonly repository: string;
  size: number;
  /** Bytes counted against the bound; a little ahead of `size` while a chunk arrives. */
  reserved: number;
  file: SpoolFile | undefined;
  target: Descriptor | undefined;
  isKept: boolean;
  /** Frees what the store has of `target`. */
  discard: () => Promise<void>;
  busy: boolean;
  ended: boolean;
  lastUsedMs: number;
}

/** Bytes gathered before they are written: requests arrive in pieces of 64 KiB and less. */
const BATCH_BYTES = 1024 * 1024;

/** The unfinished uploads of a server. */
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
   * Begins an upload.
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

  /** @throws {RefusedRequestError} with BLOB_UPLOAD_UNKNOWN when the repository has no such upload (any more). */
  find(repository: string, id: string): UploadSession {
    return this.#find(repository, id);
  }

  /**
   * Runs `work` while nobody else writes to the upload.
   *
   * @throws {RefusedRequestError} with RANGE_INVALID when somebody does: chunks come in order, one after the other.
   */
  async exclusively<T>({ repository, id }: UploadSession, work: () => Promise<T>): Promise<T> {
    const session = this.#find(repository, id);
    if (session.busy)
      throw new RefusedRequestError(
        'RANGE_INVALID',
        'Cannot take the chunk: another one of this upload is on its way',
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
   * Adds bytes. When the client is cut off, what came before stays and the upload can go on from there.
   *
   * @throws {RefusedRequestError} with SIZE_INVALID when the uploads together would pass the bound.
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
   * From now on the bytes go straight to the store.
   *
   * @param discard frees what the store has of it when the upload ends, finished or not.
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

  /** The store has taken so many bytes more. */
  count({ repository, id }: UploadSession, bytes: number): void {
    const session = this.#find(repository, id);
    this.#reserve(session, bytes);
    session.size += bytes;
  }

  /** The store has all of it, whoever brought it. */
  kept({ repository, id }: UploadSession): void {
    const session = this.#find(repository, id);
    session.isKept = true;
    session.size = session.target?.size ?? session.size;
  }

  /** What was received so far. */
  content({ repository, id }: UploadSession): Bytes {
    return (
      this.#find(repository, id).file?.read() ?? {
        async *[Symbol.asyncIterator]() {
          // Nothing was sent: the blob is empty.
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

  /** Ends the uploads that were left alone for too long. */
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
        `Cannot begin an upload: ${this.#sessions.size} are being written`,
      );
    await this.end(idle);
  }

  #reserve(session: OpenSession, bytes: number): void {
    if (this.#bytes + bytes > this.#limits.bytes) {
      throw new RefusedRequestError(
        'SIZE_INVALID',
        `Cannot take more bytes: unfinished uploads may hold ${this.#limits.bytes} together`,
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
    'Cannot find that upload: it ended, was left alone too long, or never began',
  );
}
