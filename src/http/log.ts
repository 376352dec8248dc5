import type { Clock } from '../clock.ts';
import { printable, redactHeader, redactUrl, secretsIn, withoutSecrets } from '../redact.ts';
import { contentLength } from './body.ts';
import type { HttpRequest, HttpResponse, Layer } from './message.ts';

export interface LogOptions {
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** 0 logs nothing, 1 a line for each request, 2 its headers too. */
  readonly verbosity: 0 | 1 | 2;
}

/**
 * Logs each request once the head of its response has arrived: method, redacted URL, status, bytes
 * (sent, or else announced by the response), milliseconds. A line has no secret, and no character
 * that a terminal would obey.
 */
export function logLayer({ clock, log, verbosity }: LogOptions): Layer {
  if (verbosity === 0) return (next) => next;
  return (next) =>
    async function send(request) {
      const start = clock.now();
      const subject = `${request.method} ${redactUrl(request.url)}`;
      // All lines of a request are logged together: lines of other requests would mix with its
      // headers.
      const say = (
        outcome: string,
        headers: Iterable<readonly [name: string, value: string]> = [],
      ): void => {
        log(`${subject} ${outcome} ${Math.round(clock.now() - start)} ms`);
        if (verbosity < 2) return;
        const secrets = secretsIn(request.headers?.['authorization']);
        logHeaders('>', Object.entries(request.headers ?? {}), log);
        logHeaders(
          '<',
          [...headers].map(([name, value]) => [name, withoutSecrets(value, secrets)]),
          log,
        );
      };
      try {
        const response = await next(request);
        say(`${response.status} ${bytesOfExchange(request, response)}`, response.headers.entries());
        return response;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        say(`failed: ${printable(message, 400)}`);
        throw error;
      }
    };
}

function logHeaders(
  mark: string,
  headers: Iterable<readonly [name: string, value: string]>,
  log: (line: string) => void,
): void {
  for (const [name, value] of headers)
    log(`${mark} ${printable(name)}: ${redactHeader(name, value)}`);
}

function bytesOfExchange({ method, body }: HttpRequest, response: HttpResponse): string {
  const sent = body instanceof Uint8Array ? body.byteLength : (body?.size ?? 0);
  const announced = method === 'HEAD' ? 0 : contentLength(response);
  return sent > 0 ? `${sent} bytes` : `${announced ?? '?'} bytes`;
}
