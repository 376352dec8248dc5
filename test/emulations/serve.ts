import { lookup as systemLookup } from 'node:dns';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type LookupFunction, isIP } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { getResponse } from 'msw';

import { main } from '../../src/main.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { afterFile } from '../support/cleanup.ts';
import { instantClock, type InstantClock } from '../support/clock.ts';
import { fakeIo, type FakeIo } from '../support/cli/io.ts';
import { requireTool } from '../support/programs/real-tools.ts';
import { type Finished, runProgram } from '../support/programs/run-program.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Login } from './bearer.ts';
import type { Emulation } from './emulation.ts';

/** One request that came. */
export interface Seen {
  readonly method: string;
  /** Scheme, host, path and query. */
  readonly url: URL;
  readonly status: number;
  readonly authorization: string | undefined;
  readonly headers: IncomingMessage['headers'];
}

export interface RegiResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds that it would have waited. */
  readonly sleeps: readonly number[];
}

export interface RegiCall {
  /** Where logins are kept; that of the emulation when absent. */
  readonly home?: string | undefined;
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** An emulation that listens, and the clients that see nothing else of the world. */
export interface Served {
  readonly emulation: Emulation;
  readonly seen: Seen[];
  /** A reference in the first repository. */
  readonly ref: (tagOrDigest: string, repository?: string) => string;
  /** A home folder with this login in docker's configuration. */
  readonly homeOf: (login: Login) => string;
  readonly io: (call?: RegiCall) => FakeIo;
  readonly regi: (argv: readonly string[], call?: RegiCall) => Promise<RegiResult>;
  /** Debian's skopeo, which keeps its login from one call to the next. */
  readonly skopeo: (args: readonly string[], input?: string) => Promise<Finished>;
  readonly caFile: string | undefined;
}

/** Larger bodies are no part of any test. */
const BODY_LIMIT = 64 * 1024 * 1024;

/**
 * Serves an emulation under its real names: port 443 of a loopback address of its own (5000 for
 * plain http), a certificate for all names by a CA of its own, a `lookup` for regi and a hosts file
 * for skopeo that know these names and no others.
 */
export async function serveEmulation(emulation: Emulation): Promise<Served> {
  const { hosts, scheme = 'https', registry, logins } = emulation;
  const seen: Seen[] = [];
  const port = Number(/:(\d+)$/.exec(registry)?.[1] ?? 443);
  const certificates = scheme === 'https' ? makeCertificates({ hosts }) : undefined;
  const handle: RequestListener = (request, response) =>
    void answer(emulation, { scheme, seen }, request, response);
  const address = await listen(
    () =>
      certificates === undefined ? createServer(handle) : createTlsServer(certificates, handle),
    port,
  );
  const hostsFile = join(temporaryFolder('hosts'), 'hosts');
  writeFileSync(
    hostsFile,
    `127.0.0.1 localhost\n${hosts.map((host) => `${address} ${host}\n`).join('')}`,
  );
  const skopeoHome = temporaryFolder('skopeo');
  const caFile = certificates?.caPath;

  const homeOf = ({ username, password }: Login): string => {
    const home = temporaryFolder('home');
    mkdirSync(join(home, '.docker'));
    const key = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    writeFileSync(
      join(home, '.docker', 'config.json'),
      JSON.stringify({ auths: { [key]: { auth } } }),
    );
    return home;
  };
  const ownHome = homeOf(logins[0]);
  const io = ({ home = ownHome, stdin, env }: RegiCall = {}): FakeIo & {
    readonly clock: InstantClock;
  } => {
    const clock = instantClock();
    return {
      ...fakeIo({
        home,
        cwd: home,
        clock,
        env: env ?? {},
        lookup: lookupOf(hosts, address),
        ...(stdin !== undefined && { stdin }),
      }),
      clock,
    };
  };
  return {
    emulation,
    seen,
    caFile,
    homeOf,
    io,
    ref: (tagOrDigest, repository = emulation.repositories[0]) =>
      `${registry}/${repository}${tagOrDigest.includes(':') ? '@' : ':'}${tagOrDigest}`,
    async regi(argv, call) {
      const outside = io(call);
      const access = caFile === undefined ? ['--plain-http', registry] : ['--ca-file', caFile];
      const status = await main([...argv, ...access], outside);
      return {
        status,
        stdout: outside.stdoutText(),
        stderr: outside.stderrText(),
        sleeps: outside.clock.sleeps,
      };
    },
    skopeo: (args, input) =>
      runProgram(
        requireTool('unshare'),
        ['-m', 'sh', '-c', ENTER, 'sh', hostsFile, requireTool('skopeo'), ...SKOPEO_FLAGS, ...args],
        {
          env: skopeoEnv(skopeoHome, caFile),
          input,
        },
      ),
  };
}

/** In a mount namespace of its own the hosts file is another, and real names lead here. */
const ENTER = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';
const SKOPEO_FLAGS = ['--insecure-policy', '--override-os', 'linux', '--override-arch', 'amd64'];

function skopeoEnv(home: string, caFile: string | undefined): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_RUNTIME_DIR: home,
    REGISTRY_AUTH_FILE: join(home, 'auth.json'),
    TMPDIR: home,
    ...(caFile !== undefined && { SSL_CERT_FILE: caFile }),
  };
}

/** Each file of tests has an address of its own, because the port is fixed. */
async function listen(make: () => ReturnType<typeof createServer>, port: number): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    const address = `127.${2 + (process.pid % 250)}.${Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`;
    const server = make();
    try {
      server.listen(port, address);
      await once(server, 'listening');
    } catch (error) {
      if (attempt < 5 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw error;
    }
    afterFile(async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    });
    return address;
  }
}

function lookupOf(hosts: readonly string[], address: string): LookupFunction {
  return (hostname, options, callback) => {
    if (isIP(hostname) !== 0) return systemLookup(hostname, options, callback);
    if (!hosts.includes(hostname)) {
      return callback(
        Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), {
          code: 'ENOTFOUND',
          syscall: 'getaddrinfo',
          hostname,
        }),
        [],
      );
    }
    return options.all === true
      ? callback(null, [{ address, family: 4 }])
      : callback(null, address, 4);
  };
}

interface Place {
  readonly scheme: string;
  readonly seen: Seen[];
}

async function answer(
  { handlers }: Emulation,
  { scheme, seen }: Place,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', `${scheme}://${request.headers.host}`);
  const { method = 'GET', headers } = request;
  try {
    if (Number(headers['content-length'] ?? 0) > BODY_LIMIT)
      throw new Error('The body is too large for an emulation');
    const body = await buffer(request);
    const asked = new Request(url, {
      method,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        typeof value === 'string' ? [[name, value]] : [],
      ),
      ...(body.byteLength > 0 && { body: new Uint8Array(body) }),
    });
    const answered =
      (await getResponse([...handlers], asked)) ??
      new Response('nobody answers here\n', { status: 421 });
    seen.push({
      method,
      url,
      status: answered.status,
      authorization: headers.authorization,
      headers,
    });
    response.writeHead(answered.status, [...answered.headers].flat());
    response.end(method === 'HEAD' ? undefined : Buffer.from(await answered.arrayBuffer()));
  } catch (error) {
    // A fault of the emulation must fail the test that met it, and not be retried as a fault of the
    // registry.
    seen.push({ method, url, status: 418, authorization: headers.authorization, headers });
    response
      .writeHead(418, { 'content-type': 'text/plain' })
      .end(String(error instanceof Error ? error.stack : error));
  }
}
