import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';

import { hashSync } from 'bcryptjs';

import { afterFile } from '../cleanup.ts';
import { startBound } from '../programs/daemon.ts';
import { requireTool } from '../programs/real-tools.ts';
import type { Running } from '../programs/run-program.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/**
 * The token server in the configuration of docker-registry
 * (https://distribution.github.io/distribution/about/configuration/#token).
 */
export interface TokenAuth {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM file of the certificates that verify tokens. */
  readonly rootcertbundle: string;
}

export interface DockerRegistryOptions {
  /** Allows DELETE, which is off by default as in docker-registry. */
  readonly delete?: boolean | undefined;
  readonly htpasswd?: { readonly user: string; readonly password: string } | undefined;
  /** PEM texts. */
  readonly tls?:
    | {
        readonly cert: string;
        readonly key: string;
        /** File of the CA of client certificates, which are required then. */ readonly clientCa?: string;
      }
    | undefined;
  readonly token?: TokenAuth | undefined;
  /**
   * Folder of the content, so that a second process can serve the content of the first. A temporary
   * one when absent.
   */
  readonly storage?: string | undefined;
}

export interface LoggedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  readonly status: number;
  /** Length of the response body. */
  readonly bytes: number;
  readonly userAgent: string;
}

export interface DockerRegistry {
  /** `127.0.0.1:PORT`, as it is written in a reference. */
  readonly host: string;
  readonly url: string;
  readonly storage: string;
  /** All output so far, including the access log. */
  logs(): string;
  /**
   * Requests since the start or the last `forgetRequests()`, in the order in which their responses
   * ended.
   */
  requests(): Promise<readonly LoggedRequest[]>;
  forgetRequests(): Promise<void>;
  /** Bytes of unfinished uploads on its disk. */
  uploadedBytes(): number;
  /** Ends the process. Also called after the last test of the file. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 120_000;
const LISTENING = /listening on (127\.0\.0\.1:\d+)/;
/** Apache's combined log format. */
const ACCESS =
  /^\S+ \S+ \S+ \[[^\]]*\] "([A-Z]+) (\S+) HTTP\/[\d.]+" (\d{3}) (\d+) "[^"]*" "([^"]*)"$/;
const MARKER = '/v2/?access-log-marker=';

/** Starts Debian's docker-registry on a free port of loopback. */
export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const folder = temporaryFolder('docker-registry');
  const storage = options.storage ?? join(folder, 'storage');
  const config = join(folder, 'config.yml');
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(configOf(options, storage, folder)));

  const running = startBound(requireTool('docker-registry'), ['serve', config]);
  afterFile(stop);
  const host = await listening(running);
  const url = `${options.tls === undefined ? 'http' : 'https'}://${host}`;
  let markers = 0;
  let forgotten = 0;

  async function stop(): Promise<void> {
    running.process.kill('SIGTERM');
    await running.finished;
  }

  /**
   * The log is written after the response: when a marker request appears in it, all earlier
   * requests do.
   */
  async function logged(): Promise<readonly LoggedRequest[]> {
    markers += 1;
    const marker = `${MARKER}${markers}`;
    await touch(`${url}${marker}`);
    await until(
      running,
      () => running.output.stdout.includes(`GET ${marker} `),
      `the request "${marker}" in the access log`,
    );
    return running.output.stdout
      .split('\n')
      .flatMap(parseAccess)
      .filter(({ path }) => !path.startsWith(MARKER));
  }

  return {
    host,
    url,
    storage,
    stop,
    logs: () => running.output.stderr + running.output.stdout,
    requests: async () => (await logged()).slice(forgotten),
    forgetRequests: async () => {
      forgotten = (await logged()).length;
    },
    uploadedBytes: () =>
      readdirSync(storage, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\/_uploads\/[^/]+\/data$/.test(name))
        .reduce(
          (sum, name) =>
            sum + (statSync(join(storage, name), { throwIfNoEntry: false })?.size ?? 0),
          0,
        ),
  };
}

function configOf(options: DockerRegistryOptions, storage: string, folder: string): object {
  return {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: options.delete ?? false },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: '127.0.0.1:0',
      secret: 'the same for every test',
      ...(options.tls === undefined ? {} : { tls: tlsConfig(options.tls, folder) }),
    },
    ...authConfig(options, folder),
  };
}

function tlsConfig(
  { cert, key, clientCa }: NonNullable<DockerRegistryOptions['tls']>,
  folder: string,
): object {
  const certificate = join(folder, 'tls.crt');
  const keyFile = join(folder, 'tls.key');
  writeFileSync(certificate, cert);
  writeFileSync(keyFile, key);
  return { certificate, key: keyFile, ...(clientCa !== undefined && { clientcas: [clientCa] }) };
}

function authConfig({ htpasswd, token }: DockerRegistryOptions, folder: string): object {
  if (token !== undefined) return { auth: { token: { ...token } } };
  if (htpasswd === undefined) return {};
  const path = join(folder, 'htpasswd');
  // docker-registry takes bcrypt only; 4 is the cheapest cost it accepts.
  writeFileSync(path, `${htpasswd.user}:${hashSync(htpasswd.password, 4)}\n`);
  return { auth: { htpasswd: { realm: 'test registry', path } } };
}

async function listening(running: Running): Promise<string> {
  await until(running, () => LISTENING.test(running.output.stderr), 'the line "listening on"');
  return LISTENING.exec(running.output.stderr)?.[1] ?? '';
}

/** Waits for output rather than time: checks again whenever the program writes. */
function until(running: Running, isThere: () => boolean, what: string): Promise<void> {
  const { stdout, stderr } = running.process;
  return new Promise((resolve, reject) => {
    const fail = (): void =>
      settle(new Error(`Cannot find ${what}: docker-registry wrote\n${running.output.stderr}`));
    const timer = setTimeout(fail, START_TIMEOUT_MS);
    const look = (): void => void (isThere() && settle());
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      stdout.off('data', look);
      stderr.off('data', look);
      running.process.off('close', fail);
      if (error === undefined) resolve();
      else reject(error);
    };
    stdout.on('data', look);
    stderr.on('data', look);
    running.process.once('close', fail);
    look();
  });
}

function touch(url: string): Promise<void> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      agent: false,
      rejectUnauthorized: false,
      headers: { 'user-agent': 'access-log-marker' },
    });
    request.once('response', (response) => response.resume().once('end', resolve));
    request.once('error', reject);
    request.end();
  });
}

function parseAccess(line: string): LoggedRequest[] {
  const [, method, path, status, bytes, userAgent] = ACCESS.exec(line) ?? [];
  if (method === undefined || path === undefined || userAgent === undefined) return [];
  return [{ method, path, status: Number(status), bytes: Number(bytes), userAgent }];
}
