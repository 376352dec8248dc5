import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterFile } from '../cleanup.ts';
import { freePort, startDaemon } from './daemon.ts';
import { requireTool } from './real-tools.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface SquidOptions {
  /** The login that clients must present. */
  readonly login?: { readonly user: string; readonly password: string } | undefined;
  /** Names that it resolves to 127.0.0.1. */
  readonly names: readonly string[];
}

export interface Squid {
  readonly port: number;
  /**
   * `CONNECT registry.test:443` or `GET http://registry.test/v2/`, and the status of each. A line
   * comes after the answer did: wait for it.
   */
  requests(): readonly string[];
}

/**
 * Starts Debian's squid on a free port of loopback; it caches nothing and allows tunnels to every
 * port.
 */
export async function startSquid({ login, names }: SquidOptions): Promise<Squid> {
  const port = await freePort();
  const folder = temporaryFolder('squid');
  // squid drops the rights of root, and must still write its log here.
  chmodSync(folder, 0o777);
  const log = join(folder, 'access.log');
  const passwords = join(folder, 'passwords');
  if (login !== undefined) {
    const hash = execFileSync('openssl', ['passwd', '-apr1', login.password], {
      encoding: 'utf8',
    }).trim();
    writeFileSync(passwords, `${login.user}:${hash}\n`);
  }
  writeFileSync(join(folder, 'hosts'), names.map((name) => `127.0.0.1 ${name}\n`).join(''));
  const access =
    login === undefined
      ? ['http_access allow all']
      : [
          `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${passwords}`,
          'acl known proxy_auth REQUIRED',
          'http_access allow known',
          'http_access deny all',
        ];
  const config = join(folder, 'squid.conf');
  writeFileSync(
    config,
    [
      `http_port 127.0.0.1:${port}`,
      `pid_filename ${folder}/squid.pid`,
      // The default service name would share memory with an installed squid.
      `visible_hostname squid.test`,
      'memory_cache_shared off',
      'cache deny all',
      'cache_log stdio:/dev/null',
      `logformat plain %rm %ru %>Hs`,
      `access_log stdio:${log} plain`,
      'buffered_logs off',
      'pinger_enable off',
      `hosts_file ${folder}/hosts`,
      `coredump_dir ${folder}`,
      'shutdown_lifetime 0 seconds',
      ...access,
      '',
    ].join('\n'),
  );
  const daemon = await startDaemon(
    requireTool('squid'),
    ['-N', '-n', `regi${port}`, '-f', config],
    port,
  );
  afterFile(daemon.stop);
  return {
    port,
    requests: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
  };
}
