import { startHttpServer } from './http-server.ts';

export interface EndlessServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Bytes handed to the kernel so far; two sockets may still hold some of them. */
  readonly sent: () => number;
}

/** Starts a server whose response to every request never ends. */
export async function startEndlessServer(
  piece: string | Uint8Array,
  { status = 200, begin = '' } = {},
): Promise<EndlessServer> {
  const bytes = Buffer.from(piece);
  let sent = 0;
  const { origin } = await startHttpServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.write(begin);
    const more = (): void => {
      while (!response.destroyed && response.write(bytes)) sent += bytes.byteLength;
      sent += bytes.byteLength;
      response.once('drain', more);
    };
    more();
  });
  return { origin, host: origin.replace('http://', ''), sent: () => sent };
}
