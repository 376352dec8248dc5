import { describe, expect, test } from 'vitest';

import { regiAtHome } from '../support/cli/home.ts';
import { startHttpServer, startRawServer } from '../support/http/http-server.ts';
import { tinyLayout } from '../support/images/tiny-layout.ts';

const OPTIONS = ['--timeout', '1', '--retry', '0'];

describe('--timeout', () => {
  /** Takes every byte of an upload, and never says that it stored them. */
  test('ends the wait for the response to an upload', async () => {
    const server = await startHttpServer((request, response) => {
      request.resume();
      if (request.method === 'POST')
        response.writeHead(202, { location: '/v2/app/blobs/uploads/1' }).end();
      else if (request.method !== 'PUT') response.writeHead(404).end();
    });
    const answer = await regiAtHome([
      'copy',
      ...OPTIONS,
      tinyLayout('app:1'),
      `${server.origin.replace('http://', '')}/app:1`,
    ]);
    expect(answer.status).toBe(5);
    expect(answer.stderr).toContain('no response for 1 s');
    expect(answer.stderr).toContain('allow more with --timeout');
  });

  /** Accepts a connection, and says nothing to the hello of TLS. */
  test('ends the wait for a connection', async () => {
    const server = await startRawServer(() => {});
    const answer = await regiAtHome(['digest', ...OPTIONS, `registry.test:${server.port}/app:1`]);
    expect(answer.status).toBe(5);
    expect(answer.stderr).toContain('no connection within 1 s');
  });
});
