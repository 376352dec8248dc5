import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import * as tls from 'node:tls';

import { errnoOf } from '../disk/errno.ts';
import { InvalidConfigError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

export interface AuthoritiesOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As in platforms: `linux`, `darwin`, `windows`. */
  readonly os: string;
  readonly warn: (message: string, hint?: string) => void;
  /**
   * Files with the system's authorities, the most likely first; defaults to those of common
   * systems.
   */
  readonly bundles?: readonly string[] | undefined;
}

/**
 * Debian, Fedora and RHEL, openSUSE, older RHEL, CentOS, Alpine and the BSDs, in the order that Go
 * tries them.
 */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const;

/**
 * Reads the certificate authorities that this machine trusts, as PEM texts: the system's file,
 * those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, and those of `NODE_EXTRA_CA_CERTS`, which Node
 * ignores as soon as it gets other authorities. If both `SSL_CERT_*` are set, the system's file is
 * not used, as in Go programs. A machine without any uses the authorities that are built into Node.
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
  const extra = env['NODE_EXTRA_CA_CERTS'] ?? '';
  const named = await Promise.all([
    ...(file === '' ? [] : [orWarn(readText(file), file, 'SSL_CERT_FILE', warn)]),
    ...folders.map((folder) => orWarn(readFolder(folder), folder, 'SSL_CERT_DIR', warn)),
    // Node itself warns if this file cannot be read.
    ...(extra === '' ? [] : [readText(extra).catch(() => '')]),
  ]);
  const system = file !== '' && folders.length > 0 ? [] : await readSystem(os, bundles);
  const found = [...system, ...named.flat()].filter((text) => text.includes('-----BEGIN '));
  if (found.length === 0) return tls.rootCertificates;
  return found.length === 1 ? found : eachOnce(found);
}

/**
 * Parsing a certificate costs more than comparing its text, and the variables often name the
 * system's file again.
 */
function eachOnce(texts: readonly string[]): readonly string[] {
  return [...new Set(texts.flatMap((text) => text.match(CERTIFICATES) ?? [text]))];
}

const CERTIFICATES =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----\n?/g;

async function readSystem(os: string, bundles: readonly string[]): Promise<readonly string[]> {
  // These systems keep trust in a keychain or certificate store, not in a file. Node 22.15 and
  // newer read it.
  if (os === 'darwin' || os === 'windows')
    return [...tls.rootCertificates, ...systemCertificates()];
  for (const path of bundles) {
    const text = await readText(path).catch(() => undefined);
    if (text !== undefined) return [text];
  }
  return tls.rootCertificates;
}

function systemCertificates(): readonly string[] {
  const read: unknown = Reflect.get(tls, 'getCACertificates');
  return typeof read === 'function' ? (read as (kind: string) => string[])('system') : [];
}

async function orWarn(
  texts: Promise<string | readonly string[]>,
  path: string,
  variable: string,
  warn: AuthoritiesOptions['warn'],
): Promise<string | readonly string[]> {
  try {
    return await texts;
  } catch (error) {
    warn(
      `Cannot read "${path}" of ${variable}: ${reasonOf(error)}`,
      `correct ${variable}, or unset it`,
    );
    return [];
  }
}

async function readFolder(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  const texts = await Promise.all(
    names.map((name) => readText(join(folder, name)).catch(() => '')),
  );
  // Each certificate is present twice: under its name, and as a link named after its hash.
  return [...new Set(texts)];
}

async function readText(path: string): Promise<string> {
  const text = await readFile(path, 'latin1');
  return text.length > LIMITS.authoritiesBytes ? '' : text;
}

function reasonOf(error: unknown): string {
  return errnoOf(error) ?? 'it cannot be opened';
}

/**
 * Reads a file of certificate authorities that the user named.
 *
 * @param where the flag or key that names it: `--ca-file`.
 * @throws {InvalidConfigError} when it cannot be read, or contains no certificate.
 */
export async function readCaFile(
  path: string,
  where: string,
  signal: AbortSignal,
): Promise<string> {
  const hint = `set ${where} to a file of PEM certificates`;
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new InvalidConfigError(
      `Cannot read the certificate authorities in "${path}": ${reasonOf(cause)}`,
      { hint, cause },
    );
  }
  if (hasCertificate(text)) return text;
  throw new InvalidConfigError(
    `Cannot use the certificate authorities in "${path}": expected PEM certificates, found none`,
    { hint },
  );
}

/** True if a text contains a PEM certificate that Node can read. */
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
