import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { runOrThrow } from '../../support/programs/run-program.ts';
import { startHttpServer } from '../../support/http/http-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const REGI = fileURLToPath(new URL('../../../bin/regi.js', import.meta.url));
const DIGEST = `sha256:${'a'.repeat(64)}`;
/** Prints the modules of Node that were loaded. */
const HOOK = `process.on('exit', () => require('node:fs').writeSync(1, process.moduleLoadList.join('\\n')));`;

test('regi digest over plain http loads neither TLS nor cryptography', async () => {
  const server = await startHttpServer((_request, response) => {
    response.setHeader('docker-content-digest', DIGEST);
    response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
    response.setHeader('content-length', 2).end();
  });
  const home = temporaryFolder('home');
  const hook = join(home, 'hook.cjs');
  writeFileSync(hook, HOOK);
  const image = `127.0.0.1:${server.port}/image:1`;
  const output = await runOrThrow(process.execPath, ['-r', hook, REGI, 'digest', image], {
    env: { HOME: home },
  });
  const loaded = output.split('\n');
  expect(loaded[0]).toBe(DIGEST);
  expect(loaded).toContain('NativeModule net');
  expect(loaded).not.toContain('NativeModule crypto');
  expect(loaded).not.toContain('NativeModule tls');
});
