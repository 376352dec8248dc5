import { startHttpServer } from '../http/http-server.ts';

/** Starts a registry whose response to every request is one page of a list. */
export async function startListing(
  page: (url: URL) => { body: string; link?: string },
): Promise<{ host: string; asked: () => number }> {
  let asked = 0;
  const server = await startHttpServer((request, response) => {
    asked += 1;
    const { body, link } = page(new URL(request.url ?? '/', 'http://x'));
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(link !== undefined && { link }),
    });
    response.end(body);
  });
  return { host: server.origin.replace('http://', ''), asked: () => asked };
}
