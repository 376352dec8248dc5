import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import * as tls from 'node:tls';

import { InvalidConfigError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

export interface AuthoritiesOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** In Go's words: `linux`, `darwin`, `windows`. */
  readonly os: string;
  readonly warn: (message: string, hint?: string) => void;
  /** Where a system keeps what it trusts in one file, the likeliest first; those of the usual systems when absent. */
  readonly bundles?: readonly string[] | undefined;
}

/** Debian, Fedora and RHEL, openSUSE, older RHEL, CentOS, Alpine and the BSDs, as Go looks for them. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const;

/**
 * Reads the certificate authorities that this machine trusts, as PEM texts: the system's file, what `SSL_CERT_FILE` and `SSL_CERT_DIR` name,
 * and `NODE_EXTRA_CA_CERTS`, which Node forgets as soon as it is given authorities. When both `SSL_CERT_*` are set the system's file is left
 * out, as in programs in Go. A machine without any trusts the authorities that Node was built with.
 *
 * @see https://github.com/golang/go/blob/go1.24.0/src/crypto/x509/root_unix.go
 */
export async function readAuthorities({
  env,
  os,
  warn,
  bundles = BUNDLES,
}: AuthoritiesOptions): Promise<readonly string[]> {
  const file = env['SSL_CERT_FILE'] ?? '';
  const folders = (env['SSL_CERT_DIR'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const named = await Promise.all([
    ...(file === '' ? [] : [readNamed(file, 'SSL_CERT_FILE', warn)]),
    ...folders.map((folder) => readFolder(folder, warn)),
    // Node itself has warned when this one cannot be read.
    readNamed(env['NODE_EXTRA_CA_CERTS'] ?? '', 'NODE_EXTRA_CA_CERTS', undefined),
  ]);
  const system = file !== '' && folders.length > 0 ? [] : await readSystem(os, bundles);
  const found = [...system, ...named.flat()].filter((text) => text.includes('-----BEGIN '));
  return found.length > 0 ? found : tls.rootCertificates;
}

async function readSystem(os: string, bundles: readonly string[]): Promise<readonly string[]> {
  // Keychain and certificate store are known to Node from 22.15 on; a file there is not what the system trusts.
  if (os === 'darwin' || os === 'windows') return [...tls.rootCertificates, ...askNode()];
  for (const path of bundles) {
    const text = await readText(path).catch(() => undefined);
    if (text !== undefined) return [text];
  }
  return tls.rootCertificates;
}

function askNode(): readonly string[] {
  const ask: unknown = Reflect.get(tls, 'getCACertificates');
  return typeof ask === 'function' ? (ask as (kind: string) => string[])('system') : [];
}

async function readNamed(
  path: string,
  variable: string,
  warn: AuthoritiesOptions['warn'] | undefined,
): Promise<readonly string[]> {
  if (path === '') return [];
  try {
    return [await readText(path)];
  } catch (error) {
    warn?.(
      `Cannot read "${path}", which ${variable} names: ${reasonOf(error)}`,
      `correct ${variable}, or unset it`,
    );
    return [];
  }
}

async function readFolder(
  folder: string,
  warn: AuthoritiesOptions['warn'],
): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    const texts = await Promise.all(
      names.map((name) => readText(join(folder, name)).catch(() => '')),
    );
    // Each certificate is there twice: by its name, and by a link that is named for its hash.
    return [...new Set(texts)];
  } catch (error) {
    warn(
      `Cannot read "${folder}", which SSL_CERT_DIR names: ${reasonOf(error)}`,
      'correct SSL_CERT_DIR, or unset it',
    );
    return [];
  }
}

async function readText(path: string): Promise<string> {
  const text = await readFile(path, 'latin1');
  return text.length > LIMITS.authoritiesBytes ? '' : text;
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be opened';
}

/**
 * Reads a file of certificate authorities that the user named.
 *
 * @param where it was named: `--ca-file`.
 * @throws {InvalidConfigError} when it cannot be read, or holds no certificate.
 */
export async function readCaFile(
  path: string,
  where: string,
  signal: AbortSignal,
): Promise<string> {
  const hint = `give ${where} a file of PEM certificates`;
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    const reason =
      cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    throw new InvalidConfigError(
      `Cannot read the certificate authorities in "${path}": ${reason}`,
      { hint, cause },
    );
  }
  if (hasCertificate(text)) return text;
  throw new InvalidConfigError(
    `Cannot use the certificate authorities in "${path}": expected PEM certificates, found none`,
    { hint },
  );
}

/** Whether a text holds a PEM certificate that can be read. */
export function hasCertificate(text: string): boolean {
  const [block] =
    /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/.exec(
      text,
    ) ?? [];
  if (block === undefined) return false;
  try {
    return new X509Certificate(block).subject !== undefined;
  } catch {
    return false;
  }
}
