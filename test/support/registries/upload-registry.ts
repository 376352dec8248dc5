import type { HttpRequest } from '../../../src/http/message.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { fakeTransport, type FakeResponse, type FakeTransport } from '../http/fake-transport.ts';
import { readAll } from './watched.ts';

export interface UploadRegistry extends FakeTransport {
  /** Digests of committed blobs. */
  readonly kept: Set<string>;
  /** Open sessions. */
  readonly open: ReadonlySet<string>;
  /** `POST`, `PATCH 0-99`, `GET`, `PUT`, `DELETE`: the requests in order. */
  readonly steps: readonly string[];
}

/**
 * Returns a response of the test, or undefined for the normal one. `body` is the request body, and
 * `keep` writes a part of it into the session, as registry 3 does before it notices that a request
 * was cut.
 */
export type Interfere = (
  request: HttpRequest,
  body: Uint8Array,
  keep: (bytes: number) => void,
) => FakeResponse | undefined;

/**
 * The upload endpoints of a registry, in memory: sessions whose location changes with each
 * response, as in distribution.
 */
export function uploadRegistry(interfere: Interfere = () => undefined): UploadRegistry {
  const sessions = new Map<string, { state: number; content: Uint8Array }>();
  const kept = new Set<string>();
  const steps: string[] = [];
  let started = 0;
  const open = new Set<string>();

  const transport = fakeTransport(async (request) => {
    const body = await bodyOf(request);
    const range = request.headers?.['content-range'];
    steps.push(range === undefined ? request.method : `${request.method} ${range}`);
    return (
      interfere(request, body, (bytes) => keep(request, body.subarray(0, bytes))) ??
      serve(request, body)
    );
  });

  function serve({ method, url }: HttpRequest, body: Uint8Array): FakeResponse {
    if (method === 'POST') return start();
    if (method === 'HEAD')
      return { status: kept.has(url.pathname.split('/').at(-1) ?? '') ? 200 : 404 };
    const id = url.pathname.split('/').at(-1) ?? '';
    const session = sessions.get(id);
    if (session === undefined || url.searchParams.get('_state') !== `${session.state}/`)
      return { status: 404, body: { errors: [{ code: 'BLOB_UPLOAD_UNKNOWN' }] } };
    if (method === 'DELETE') return close(id, { status: 204 });
    if (method === 'GET')
      return {
        status: 204,
        headers: {
          location: locationOf(id),
          range: `0-${Math.max(0, session.content.byteLength - 1)}`,
        },
      };
    session.content = Buffer.concat([session.content, body]);
    session.state += 1;
    if (method === 'PATCH') return { status: 202, headers: { location: locationOf(id) } };
    const digest = url.searchParams.get('digest') ?? '';
    if (digestOf(session.content, digest.startsWith('sha512') ? 'sha512' : 'sha256') !== digest)
      return { status: 400, body: { errors: [{ code: 'DIGEST_INVALID' }] } };
    kept.add(digest);
    return close(id, { status: 201 });
  }

  function keep({ url }: HttpRequest, bytes: Uint8Array): void {
    const session = sessions.get(url.pathname.split('/').at(-1) ?? '');
    if (session !== undefined) session.content = Buffer.concat([session.content, bytes]);
  }

  function start(): FakeResponse {
    const id = String((started += 1));
    sessions.set(id, { state: 0, content: new Uint8Array() });
    open.add(id);
    return { status: 202, headers: { location: locationOf(id) } };
  }

  function close(id: string, answer: FakeResponse): FakeResponse {
    sessions.delete(id);
    open.delete(id);
    return answer;
  }

  function locationOf(id: string): string {
    return `/v2/team/app/blobs/uploads/${id}?_state=${sessions.get(id)?.state ?? 0}%2F`;
  }

  return { ...transport, kept, open, steps };
}

async function bodyOf({ body }: HttpRequest): Promise<Uint8Array> {
  if (body === undefined || body instanceof Uint8Array) return body ?? new Uint8Array();
  return readAll(body.content);
}
