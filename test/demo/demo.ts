/**
 * `npm run demo`: the main job of regi with real bytes, on two registries that it serves itself on
 * loopback. Every command is printed as it would be typed, and run as a program of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { systemClock } from '../../src/clock.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { makeIndex } from '../support/images/images.ts';

const REGI = fileURLToPath(new URL('../bin/regi.js', import.meta.url));
const MIB = 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'regi-demo-'));
/** Nothing of the person who tries it is read or changed: no login, no configuration. */
const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  TERM: process.env['TERM'] ?? '',
  LANG: process.env['LC_ALL'] ?? process.env['LANG'] ?? '',
  DBUS_SESSION_BUS_ADDRESS: '',
};
const servers: ChildProcess[] = [];

try {
  await demo();
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
} finally {
  await Promise.all(servers.map(stop));
  rmSync(folder, { recursive: true, force: true });
}

async function demo(): Promise<void> {
  say('An OCI layout folder, such as a build writes, with an image of two platforms (48 MiB)');
  await buildImage();

  say('Two registries on this machine: one in memory, one that keeps its images in a folder');
  const a = await serve('--memory');
  const b = await serve('oci:registry-b');

  say('Push the layout to the first');
  await regi('push', 'oci:hello:1.0', `${a}/team/hello:1.0`);

  say('Copy it to the second: both platforms, byte for byte');
  await regi('copy', `${a}/team/hello:1.0`, `${b}/mirror/hello:1.0`);

  say('Again: one request to each registry, and nothing moves');
  await regi('copy', `${a}/team/hello:1.0`, `${b}/mirror/hello:1.0`);

  say('Another tag, and a name in another repository, without moving its bytes');
  await regi('tag', `${b}/mirror/hello:1.0`, 'stable', `${b}/release/hello:1.0`);

  say('The tags and repositories of the second');
  await regi('tags', 'list', `${b}/mirror/hello`);
  await regi('repos', 'list', b);

  say('The details of the image');
  await regi('inspect', `${b}/mirror/hello:stable`);

  say('Pull one platform of it into a folder');
  await regi('pull', '--platform', 'linux/arm64', `${b}/release/hello:1.0`, '-o', 'pulled/');

  say('A mistake says what was wrong, and what to type');
  await regi('copy', `${a}/team/hello:2.0`, `${b}/mirror/hello:2.0`).catch(() => undefined);

  say(
    'That was regi. `regi help` lists its commands, docs/quick-start.md is a tour by hand, and docs/migrating.md has the commands for those of docker, crane, skopeo and regctl',
  );
}

async function buildImage(): Promise<void> {
  const layout = await openLayout(join(folder, 'hello'), { create: true, clock: systemClock });
  await makeIndex({ layers: [16 * MIB, 6 * MIB, 2 * MIB] }).pushAll(layout, '1.0');
}

/** Starts a registry and waits until it listens. */
async function serve(...place: readonly string[]): Promise<string> {
  const args = ['serve', ...place, '--listen', '127.0.0.1:0'];
  const server = spawn(process.execPath, [REGI, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  servers.push(server);
  let printed = '';
  for await (const text of server.stderr.setEncoding('utf8') as AsyncIterable<string>) {
    printed += text;
    const host = /http:\/\/(127\.0\.0\.1:\d+)/.exec(printed)?.[1];
    if (host === undefined) continue;
    show(args, `listening on ${host}`);
    server.stderr.destroy();
    return host;
  }
  throw new Error(`Cannot serve ${place.join(' ')}: ${printed}`);
}

/** Waits for the end of a registry, which writes into its home until then. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  await ended;
}

async function regi(...args: readonly string[]): Promise<void> {
  show(args);
  const child = spawn(process.execPath, [REGI, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`regi ${args.join(' ')} ended with status ${status}`);
}

function say(text: string): void {
  process.stdout.write(`\n# ${text}\n`);
}

function show(args: readonly string[], note = ''): void {
  process.stdout.write(`$ regi ${args.join(' ')}\n${note === '' ? '' : `${note}\n`}`);
}
