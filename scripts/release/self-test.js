import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { run } from './programs.js';

/** An empty config: the smallest image that there is. */
const CONFIG = '{}';
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(CONFIG),
    size: CONFIG.length,
  },
  layers: [],
});

/**
 * Checks that an artefact has the version, and copies an image between two registries that it serves itself.
 *
 * @param {readonly string[]} command starts regi
 * @param {string} version
 */
export async function testRegi(command, version) {
  const home = mkdtempSync(join(tmpdir(), 'regi-release-'));
  const env = { HOME: home, XDG_CACHE_HOME: join(home, 'cache') };
  const [program = '', ...first] = command;
  /** @param {readonly string[]} args */
  const regi = async (...args) =>
    (await run(program, [...first, ...args], { env, cwd: home })).trim();
  /** @type {import('node:child_process').ChildProcess[]} */
  const servers = [];
  try {
    expectText(await regi('--version'), version);
    mkdirSync(join(home, 'files'));
    writeFileSync(join(home, 'config.json'), CONFIG);
    writeFileSync(join(home, 'manifest.json'), MANIFEST);
    const [from, to] = [await serve(), await serve()];
    await regi('blob', 'put', `${from}/test/app`, 'config.json');
    await regi('manifest', 'put', `${from}/test/app:1`, 'manifest.json');
    await regi('copy', `${from}/test/app:1`, `${to}/test/app:1`);
    expectText(await regi('digest', `${to}/test/app:1`), digestOf(MANIFEST));
  } finally {
    for (const server of servers) server.kill();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Starts a registry, and returns its host and port. */
  async function serve() {
    const server = spawn(program, [...first, 'serve', '--memory', '--listen', '127.0.0.1:0'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    servers.push(server);
    for await (const line of createInterface({ input: server.stderr })) {
      const host = /listening on https?:\/\/([^/\s]+)/.exec(line)?.[1];
      if (host !== undefined) return host;
    }
    throw new Error(`\`${command.join(' ')} serve\` ended`);
  }
}

/**
 * @param {string} found
 * @param {string} wanted
 */
export function expectText(found, wanted) {
  if (found !== wanted) throw new Error(`Expected "${wanted}", found "${found}"`);
}

/** @param {string} text */
function digestOf(text) {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
