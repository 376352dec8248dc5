import type { RegistryState, Route } from './state.ts';

/** Blobs themselves: served, or redirected to the storage. */
export function answerBlob(
  core: RegistryState,
  { repository, reference }: Route,
  request: Request,
): Response {
  const bytes = core.find(repository)?.blobs.get(reference);
  if (request.method === 'DELETE')
    return core.refuse(405, 'UNSUPPORTED', 'The operation is unsupported.');
  if (bytes === undefined) return core.refuse(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
  const { storage } = core.options;
  if (storage === undefined || request.method === 'HEAD')
    return contentAnswer(request, bytes, { 'docker-content-digest': reference });
  const location = `${storage.origin}/data/${reference}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=${core.signature}`;
  return new Response(null, { status: storage.status ?? 307, headers: { location } });
}

/**
 * The storage that blobs are redirected to, as S3 and the CDNs of the others behave: a signed URL
 * is all that it takes, it is signed for GET only, and with an Authorization header beside it the
 * request is refused.
 */
export function answerStorage(core: RegistryState, request: Request): Response {
  const url = new URL(request.url);
  if (request.headers.has('authorization'))
    return storageRefusal(400, 'InvalidArgument', 'Only one auth mechanism allowed');
  if (request.method !== 'GET' || url.searchParams.get('X-Amz-Signature') !== core.signature) {
    return storageRefusal(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match',
    );
  }
  const bytes = core.blob(decodeURIComponent(url.pathname.replace('/data/', '')));
  return bytes === undefined
    ? storageRefusal(404, 'NoSuchKey', 'The specified key does not exist.')
    : contentAnswer(request, bytes);
}

/** Bytes, or the rest of them from where a Range begins. */
function contentAnswer(
  request: Request,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.get('range') ?? '')?.[1] ?? 0);
  const part = bytes.subarray(start);
  return new Response(request.method === 'HEAD' ? null : Buffer.from(part), {
    status: start > 0 ? 206 : 200,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(part.byteLength),
      ...(start > 0 && {
        'content-range': `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}`,
      }),
      ...headers,
    },
  });
}

function storageRefusal(status: number, code: string, message: string): Response {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return new Response(body, { status, headers: { 'content-type': 'application/xml' } });
}
