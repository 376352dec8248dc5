import type { Descriptor } from '../oci/descriptor.ts';
import { parseDigest, type Digest } from '../oci/digest.ts';
import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';
import {
  canKeepPartials,
  canMount,
  type Bytes,
  type PartialKeeper,
  type Place,
  type Store,
} from '../store.ts';
import { BLOB_TYPE, findBlob } from './blobs.ts';
import { RefusedRequestError } from './errors.ts';
import { emptyResponse, type CallResponse, type ResponseHeaders, type Call } from './exchange.ts';
import { LostPartError, MoreToCome, parseChunkRange, restOf } from './upload-chunk.ts';
import { isRepositoryName } from './router.ts';
import type { UploadSession, UploadSessions } from './upload-sessions.ts';

/**
 * Serves POST: starts an upload, or stores the whole blob at once (`?digest=`), or mounts it from
 * another repository (`?mount=`).
 *
 * @param name the repository in the path.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
 */
export async function startUpload(
  call: Call,
  { place, store, sessions }: UploadTarget,
  name: string,
): Promise<CallResponse> {
  const digest = call.query.get('digest');
  if (digest !== null) return pushAtOnce(call, { place, store, sessions }, name, digest);
  const mount = call.query.get('mount');
  if (mount !== null) {
    const mounted = await mountBlob(call, place, store, mount);
    if (mounted !== undefined) return created(name, mounted.digest);
  }
  const algorithm = call.query.get('digest-algorithm');
  if (algorithm !== null && algorithm !== 'sha256' && algorithm !== 'sha512') {
    throw new RefusedRequestError(
      'DIGEST_INVALID',
      `Cannot use digest algorithm ${quote(algorithm)}: expected sha256 or sha512`,
    );
  }
  return accepted(202, name, await sessions.start(store.repository));
}

/** The destination of an upload. */
export interface UploadTarget {
  readonly place: Place;
  readonly store: Store;
  readonly sessions: UploadSessions;
}

/** Serves GET: the number of bytes received. */
export function uploadStatus(
  sessions: UploadSessions,
  repository: string,
  at: UploadLocation,
): CallResponse {
  return accepted(204, at.name, sessions.find(repository, at.session));
}

/** Serves PATCH: appends a chunk, or a stream of unknown length without Content-Range. */
export async function uploadChunk(
  call: Call,
  { store, sessions }: UploadTarget,
  at: UploadLocation,
): Promise<CallResponse> {
  const session = sessions.find(store.repository, at.session);
  await sessions.exclusively(session, async () => {
    const { target } = session;
    if (target === undefined) return append(call, sessions, session, at.name);
    await resume(call, { store, sessions }, session, at.name, target);
  });
  return accepted(202, at.name, session);
}

/** Serves PUT: appends the last bytes and stores the blob if it has the digest. */
export async function finishUpload(
  call: Call,
  { store, sessions }: UploadTarget,
  at: UploadLocation,
): Promise<CallResponse> {
  const session = sessions.find(store.repository, at.session);
  const digest = parseDigest(call.query.get('digest') ?? '');
  await sessions.exclusively(session, async () => {
    const { body } = call;
    if (session.target !== undefined)
      return finishStraight(call, { store, sessions }, session, at.name, digest);
    if (session.size === 0 && body.length !== undefined) {
      // No bytes came before, so the body is the blob: it goes straight to the store and never
      // touches the spool.
      const target: Descriptor = { mediaType: BLOB_TYPE, digest, size: body.length };
      if (keepsPartial(store, target)) {
        sessions.goStraight(session, target, () => store.discardPartial(target));
        return finishStraight(call, { store, sessions }, session, at.name, digest);
      }
      checkChunk(call, session, at.name);
      await pushOrEnd(call, { store, sessions }, session, target, body.content);
      return;
    }
    await append(call, sessions, session, at.name);
    await pushOrEnd(
      call,
      { store, sessions },
      session,
      { mediaType: BLOB_TYPE, digest, size: session.size },
      sessions.content(session),
    );
  });
  await sessions.end(session);
  return created(at.name, digest);
}

/** Serves DELETE: cancels the upload. */
export async function cancelUpload(
  sessions: UploadSessions,
  repository: string,
  at: UploadLocation,
): Promise<CallResponse> {
  await sessions.end(sessions.find(repository, at.session));
  return emptyResponse(204);
}

/** The parts of an upload's path. */
export interface UploadLocation {
  readonly name: string;
  readonly session: string;
}

async function pushAtOnce(
  call: Call,
  { store, sessions }: UploadTarget,
  name: string,
  digestText: string,
): Promise<CallResponse> {
  const digest = parseDigest(digestText);
  const { length, content } = call.body;
  if (length !== undefined) {
    await store.push({ mediaType: BLOB_TYPE, digest, size: length }, content, {
      signal: call.signal,
    });
    return created(name, digest);
  }
  const session = await sessions.start(store.repository);
  try {
    await sessions.exclusively(session, async () => {
      await sessions.append(session, content);
      await store.push(
        { mediaType: BLOB_TYPE, digest, size: session.size },
        sessions.content(session),
        { signal: call.signal },
      );
    });
  } finally {
    await sessions.end(session);
  }
  return created(name, digest);
}

/**
 * Returns undefined if the client has to send the blob after all; by the specification that is
 * never an error.
 */
async function mountBlob(
  call: Call,
  place: Place,
  store: Store,
  digestText: string,
): Promise<Descriptor | undefined> {
  const from = call.query.get('from') ?? store.repository;
  if (!isRepositoryName(from)) return undefined;
  const source = place.open(from);
  const blob = await findIfThere(source, digestText, call.signal);
  if (blob === undefined) return undefined;
  if (from === store.repository) return blob;
  if (canMount(store)) {
    return (await store.mount(blob, from, undefined, { signal: call.signal })) === 'refused'
      ? undefined
      : blob;
  }
  await store.push({ ...blob, mediaType: BLOB_TYPE }, source.fetch(blob, { signal: call.signal }), {
    signal: call.signal,
  });
  return blob;
}

async function findIfThere(
  source: Store,
  digestText: string,
  signal: AbortSignal,
): Promise<Descriptor | undefined> {
  try {
    return await findBlob(source, digestText, signal);
  } catch (error) {
    if (
      error instanceof RefusedRequestError ||
      (error instanceof RegiError && error.code === 'INVALID_DIGEST')
    )
      return undefined;
    throw error;
  }
}

/** Below this size, uploading again is cheaper than querying the session. Bytes. */
const KEPT_BYTES = 1024 * 1024;

function keepsPartial(store: Store, { size }: Descriptor): store is Store & PartialKeeper {
  return size >= KEPT_BYTES && canKeepPartials(store);
}

/** Finishes an upload whose bytes go straight to the store. */
async function finishStraight(
  call: Call,
  to: Pick<UploadTarget, 'store' | 'sessions'>,
  session: UploadSession,
  name: string,
  digest: Digest,
): Promise<void> {
  const { target } = session;
  if (target === undefined || target.digest !== digest) {
    await to.sessions.end(session);
    throw new RefusedRequestError(
      'DIGEST_INVALID',
      `Cannot finish the upload: expected the digest it was started with, found ${digest}`,
    );
  }
  if (!session.isKept) await resume(call, to, session, name, target);
  if (session.isKept) return;
  await to.sessions.end(session);
  throw new RefusedRequestError(
    'SIZE_INVALID',
    `Cannot finish the upload: expected ${target.size} bytes, found ${session.size}`,
  );
}

/**
 * Appends to a blob whose bytes go straight to the store. If it is cut off, the store keeps the
 * bytes so far.
 */
async function resume(
  call: Call,
  { store, sessions }: Pick<UploadTarget, 'store' | 'sessions'>,
  session: UploadSession,
  name: string,
  target: Descriptor,
): Promise<void> {
  checkChunk(call, session, name);
  const rest = restOf(call.body.content, {
    start: session.size,
    size: target.size,
    onTaken: (bytes) => sessions.count(session, bytes),
  });
  try {
    await pushOrEnd(call, { store, sessions }, session, target, rest);
    sessions.kept(session);
  } catch (error) {
    if (!(error instanceof MoreToCome)) throw error;
  }
}

async function append(
  call: Call,
  sessions: UploadSessions,
  session: UploadSession,
  name: string,
): Promise<void> {
  checkChunk(call, session, name);
  const before = session.size;
  await sessions.append(session, call.body.content);
  const range = call.headers['content-range'];
  const chunk = range === undefined ? undefined : parseChunkRange(range);
  if (chunk !== undefined && session.size - before !== chunk.last - chunk.first + 1) {
    await sessions.end(session);
    throw new RefusedRequestError(
      'SIZE_INVALID',
      `Cannot accept the chunk: expected bytes ${chunk.first}-${chunk.last}, found ${session.size - before} bytes`,
    );
  }
}

/**
 * @throws {RefusedRequestError} with 416 and the position to resume at, unless the chunk begins
 *   where the last one ended.
 */
function checkChunk(call: Call, session: UploadSession, name: string): void {
  const header = call.headers['content-range'];
  if (header === undefined) return;
  const chunk = parseChunkRange(header);
  if (chunk === undefined || chunk.first !== session.size) {
    throw new RefusedRequestError(
      'RANGE_INVALID',
      `Cannot accept the chunk: expected Content-Range to begin at ${session.size}, found ${quote(header)}`,
      { headers: progress(name, session) },
    );
  }
  const length = chunk.last - chunk.first + 1;
  if (call.body.length !== undefined && call.body.length !== length) {
    throw new RefusedRequestError(
      'SIZE_INVALID',
      `Cannot accept the chunk: Content-Range says ${length} bytes, Content-Length ${call.body.length}`,
    );
  }
}

/**
 * Pushes the content; ends the upload if the bytes are wrong, because no further chunk can repair
 * it.
 */
async function pushOrEnd(
  call: Call,
  { store, sessions }: Pick<UploadTarget, 'store' | 'sessions'>,
  session: UploadSession,
  expected: Descriptor,
  content: Bytes,
): Promise<void> {
  try {
    await store.push(expected, content, { signal: call.signal });
  } catch (error) {
    if (
      error instanceof LostPartError ||
      (error instanceof RegiError && error.code === 'CONTENT_MISMATCH')
    )
      await sessions.end(session);
    throw error;
  }
}

function created(name: string, digest: Digest): CallResponse {
  return emptyResponse(201, {
    location: `/v2/${name}/blobs/${digest}`,
    'docker-content-digest': digest,
  });
}

function accepted(status: 202 | 204, name: string, session: UploadSession): CallResponse {
  return emptyResponse(status, progress(name, session));
}

/** `0-0` means no byte as well as one byte: the specification has no other way to say it. */
function progress(name: string, session: UploadSession): ResponseHeaders {
  return {
    location: `/v2/${name}/blobs/uploads/${session.id}`,
    range: `0-${Math.max(session.size - 1, 0)}`,
    'docker-upload-uuid': session.id,
  };
}
