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
  /** Sent as it is: nothing is normalised. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders | undefined;
  /** Content-Length is set for bytes, and not for a sequence of chunks. */
  readonly body?: Uint8Array | readonly Uint8Array[] | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One request over a connection of its own, with exactly the headers given. Rejects when the answer is cut. */
export async function sendRaw(
  url: string | URL,
  { method = 'GET', path, headers = {}, body }: RawRequest,
): Promise<RawAnswer> {
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

/** The codes of an error answer. */
export function errorCodes({ body }: RawAnswer): readonly string[] {
  const { errors } = JSON.parse(body.toString()) as {
    readonly errors: readonly { readonly code: string }[];
  };
  return errors.map(({ code }) => code);
}

/** What comes back for a text that is sent as it is, until the server closes the connection. */
export async function exchangeText(url: string | URL, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // No end() before the answer: a server may take a half-closed connection for a client that is gone.
  socket.write(text, 'latin1');
  return (await buffer(socket)).toString('latin1');
}
