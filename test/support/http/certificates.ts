import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

import { temporaryFolder } from '../temporary-folder.ts';

export interface CertificateOptions {
  /** Names and addresses in the server certificate, such as `['127.0.0.1', 'localhost']`. */
  readonly hosts: readonly string[];
  /** Lifetime of the server certificate; 2 days when absent. */
  readonly days?: number | undefined;
  /** Makes an expired server certificate. The CA stays valid. */
  readonly expired?: boolean | undefined;
}

/** A CA of its own and one server certificate signed by it: PEM texts, and the same as files. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
  /** Holds the CA as `ca.crt` and nothing else: a `--cert-dir` for skopeo, podman and buildah. */
  readonly caFolder: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Makes a test CA and a server certificate for `hosts` with the openssl program, in a temporary
 * folder.
 */
export function makeCertificates({
  hosts,
  days = 2,
  expired = false,
}: CertificateOptions): Certificates {
  const folder = temporaryFolder('certificates');
  const caFolder = temporaryFolder('ca');
  const caPath = join(caFolder, 'ca.crt');
  const keyPath = join(folder, 'server.key');
  const certPath = join(folder, 'server.crt');
  const config = join(folder, 'openssl.cnf');
  writeFileSync(config, configText(hosts, folder));
  // `openssl ca` keeps a database; it is also the only way to set both dates in OpenSSL 3.0.
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(join(folder, 'serial'), '01\n');

  const caKeyPath = join(folder, 'ca.key');
  openssl(
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '30',
      '-subj',
      '/CN=regi test CA',
      '-config',
      config,
    ].concat(['-extensions', 'ca_extensions', '-keyout', caKeyPath, '-out', caPath]),
  );
  const requestPath = join(folder, 'server.csr');
  openssl(
    [
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=regi test server',
      '-config',
      config,
    ].concat(['-keyout', keyPath, '-out', requestPath]),
  );
  const end = expired ? Date.now() - DAY_MS : Date.now() + days * DAY_MS;
  const start = Math.min(end, Date.now()) - DAY_MS;
  openssl(
    [
      'ca',
      '-batch',
      '-notext',
      '-config',
      config,
      '-name',
      'test_ca',
      '-startdate',
      openSslDate(start),
      '-enddate',
      openSslDate(end),
    ].concat(['-cert', caPath, '-keyfile', caKeyPath, '-in', requestPath, '-out', certPath]),
  );

  const text = (path: string): string => readFileSync(path, 'utf8');
  return {
    ca: text(caPath),
    cert: text(certPath),
    key: text(keyPath),
    caPath,
    certPath,
    keyPath,
    caFolder,
  };
}

/**
 * Makes an RSA key and its self-signed certificate, to sign tokens: PEM texts, and the certificate
 * as a file.
 */
export interface SigningCertificate {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
}

export function makeSigningCertificate(): SigningCertificate {
  const folder = temporaryFolder('signing');
  const keyPath = join(folder, 'signing.key');
  const certPath = join(folder, 'signing.crt');
  openssl([
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=regi test token server',
    '-keyout',
    keyPath,
    '-out',
    certPath,
  ]);
  return { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8'), certPath };
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function openSslDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
}

function configText(hosts: readonly string[], folder: string): string {
  const names = hosts.map((host) => `${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`).join(',');
  return `[req]
distinguished_name = any_name
prompt = no
[any_name]
[ca_extensions]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[test_ca]
database = ${folder}/index.txt
serial = ${folder}/serial
new_certs_dir = ${folder}
default_md = sha256
policy = any_policy
x509_extensions = server_extensions
unique_subject = no
[any_policy]
commonName = supplied
[server_extensions]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = ${names}
`;
}
