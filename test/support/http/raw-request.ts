import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface RawRequest {
  readonly method?: string | undefined;
  /** Sent without normalisation. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders | undefined;
  /** Bytes get a Content-Length, a sequence of chunks does not. */
  readonly body?: Uint8Array | readonly Uint8Array[] | undefined;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * Sends one request on its own connection, with exactly the given headers. Rejects when the
 * response is cut.
 */
export async function sendRaw(
  url: string | URL,
  { method = 'GET', path, headers = {}, body }: RawRequest,
): Promise<RawResponse> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const length = body instanceof Uint8Array ? { 'content-length': body.byteLength } : {};
    const request = httpRequest({
      hostname,
      port,
      method,
      path,
      headers: { ...length, ...headers },
      agent: false,
    });
    request.once('response', resolve);
    request.once('error', reject);
    for (const chunk of body instanceof Uint8Array ? [body] : (body ?? [])) request.write(chunk);
    request.end();
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: await buffer(response),
  };
}

/** The error codes in a response. */
export function errorCodes({ body }: RawResponse): readonly string[] {
  const { errors } = JSON.parse(body.toString()) as {
    readonly errors: readonly { readonly code: string }[];
  };
  return errors.map(({ code }) => code);
}

/** Sends a raw text, and returns everything until the server closes the connection. */
export async function exchangeText(url: string | URL, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // No end() before the response: a server may treat a half-closed connection as a client that
  // left.
  socket.write(text, 'latin1');
  return (await buffer(socket)).toString('latin1');
}
