import { bytesOf } from '../../../src/bytes.ts';
import {
  headersOf,
  type HttpRequest,
  type HttpResponse,
  type Transport,
} from '../../../src/http/message.ts';
import type { Bytes } from '../../../src/store.ts';

export interface FakeResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, bytes, or a value to send as JSON. */
  readonly body?: unknown;
  /** A public address when absent. */
  readonly remoteAddress?: string | undefined;
  /** The URL of the response when the transport followed a redirect. */
  readonly url?: URL;
}

export interface FakeTransport {
  readonly send: Transport;
  /** Every request in the order of its arrival. */
  readonly requests: HttpRequest[];
}

/** A transport without a network: `handle` makes the response to each request. */
export function fakeTransport(
  handle: (request: HttpRequest) => FakeResponse | Promise<FakeResponse>,
): FakeTransport {
  const requests: HttpRequest[] = [];
  return {
    requests,
    async send(request) {
      request.signal?.throwIfAborted();
      requests.push(request);
      const answer = await handle(request);
      request.signal?.throwIfAborted();
      return toResponse(request, answer);
    },
  };
}

/** `GET https://auth.example/token?service=s Basic …`: what went where. */
export function showRequest({ method, url, headers }: HttpRequest): string {
  return [method, url.href, headers?.['authorization']]
    .filter((part) => part !== undefined)
    .join(' ');
}

/** The body of a request as text. */
export async function textOf(request: HttpRequest): Promise<string> {
  const { body } = request;
  if (body === undefined) return '';
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  let text = '';
  for await (const chunk of body.content) text += new TextDecoder().decode(chunk);
  return text;
}

function toResponse(
  request: HttpRequest,
  { status, headers = {}, body, remoteAddress = '203.0.113.5', url = request.url }: FakeResponse,
): HttpResponse {
  return { status, headers: headersOf(headers), url, remoteAddress, body: toBytes(body) };
}

function toBytes(body: unknown): Bytes {
  if (body === undefined) return bytesOf(new Uint8Array());
  if (body instanceof Uint8Array) return bytesOf(body);
  if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
    return body as Bytes;
  return bytesOf(new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)));
}
