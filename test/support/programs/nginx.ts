import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterFile } from '../cleanup.ts';
import { freePort, startDaemon } from './daemon.ts';
import { requireTool } from './real-tools.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface NginxOptions {
  /** Upstream server: `127.0.0.1:PORT`, plain http. */
  readonly upstream: string;
  /** PEM files; plain http when absent. */
  readonly tls?: { readonly certPath: string; readonly keyPath: string } | undefined;
  /** PEM file of the CA of client certificates, which are required then. */
  readonly clientCa?: string | undefined;
  /** TLS versions, such as `TLSv1.1`; the defaults of nginx when absent. */
  readonly protocols?: string | undefined;
}

export interface Nginx {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/**
 * Starts Debian's nginx on a free port of loopback, in front of a registry, configured as its
 * documentation says.
 */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const port = await freePort();
  const folder = temporaryFolder('nginx');
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, configText(options, port, folder));
  const daemon = await startDaemon(
    requireTool('nginx'),
    ['-p', folder, '-c', config, '-e', join(folder, 'error.log'), '-g', 'daemon off;'],
    port,
  );
  afterFile(daemon.stop);
  return { port, host: `127.0.0.1:${port}`, stop: daemon.stop };
}

function configText(
  { upstream, tls, clientCa, protocols }: NginxOptions,
  port: number,
  folder: string,
): string {
  const lines =
    tls === undefined
      ? [`listen 127.0.0.1:${port};`]
      : [
          `listen 127.0.0.1:${port} ssl;`,
          `ssl_certificate ${tls.certPath};`,
          `ssl_certificate_key ${tls.keyPath};`,
          // Debian's OpenSSL allows old versions only at its lowest security level.
          ...(protocols === undefined
            ? []
            : [`ssl_protocols ${protocols};`, 'ssl_ciphers DEFAULT@SECLEVEL=0;']),
          ...(clientCa === undefined
            ? []
            : [`ssl_client_certificate ${clientCa};`, 'ssl_verify_client on;']),
        ];
  return `worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    ${lines.join('\n    ')}
    client_max_body_size 0;
    chunked_transfer_encoding on;
    location / {
      proxy_pass http://${upstream};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_request_buffering off;
      proxy_read_timeout 900;
    }
  }
}
`;
}
