import { Worker } from 'node:worker_threads';

import { expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { readAtMost } from '../../src/http/body.ts';
import { afterFile } from '../support/cleanup.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { testTransport } from '../support/http/transport.ts';

const certificates = makeCertificates({ hosts: ['127.0.0.1'] });

/**
 * Sends 413 after the first bytes of a request, and resets the connection. It runs beside this
 * thread, as a real server does.
 */
const SERVER = `
const { parentPort, workerData } = require('node:worker_threads');
const { createServer } = require(workerData === undefined ? 'node:net' : 'node:tls');
const server = createServer(workerData ?? {}, (socket) => {
  socket.on('error', () => {});
  socket.once('data', () => {
    const text = 'HTTP/1.1 413 Too Large\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nbig';
    socket.write(text, () => (socket._parent ?? socket).resetAndDestroy());
  });
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

async function startCuttingServer(isTls: boolean): Promise<URL> {
  const { cert, key } = certificates;
  const worker = new Worker(SERVER, {
    eval: true,
    ...(isTls && { workerData: { cert, key } }),
  });
  afterFile(async () => void (await worker.terminate()));
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  return new URL(`http${isTls ? 's' : ''}://127.0.0.1:${port}/`);
}

test.each([
  ['http', false],
  ['https', true],
])(
  'B10: send() over %s delivers a 413 that is sent while the server cuts the connection',
  async (_, isTls) => {
    const url = await startCuttingServer(isTls);
    const transport = testTransport({ tls: () => ({ ca: certificates.ca }) });
    const texts: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      const body = { content: bytesOf(new Uint8Array(8_000_000)), size: 8_000_000 };
      const response = await transport.send({ method: 'PUT', url, body });
      const text = Buffer.from(await readAtMost(response, 1000, 'it')).toString();
      texts.push(`${response.status} ${text}`);
    }
    expect(texts).toEqual(Array.from({ length: 20 }, () => '413 big'));
  },
);
