import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { showPath } from '../disk/config-file.ts';
import { isWithoutHome } from '../disk/errno.ts';
import { InvalidConfigError } from '../errors.ts';
import { hasCertificate } from './authorities.ts';

/** Certificates for one registry, as PEM texts. `cert` and `key` have the same order. */
export interface HostCertificates {
  readonly ca: readonly string[];
  readonly cert: readonly string[];
  readonly key: readonly string[];
}

export interface CertsDOptions {
  readonly home: string;
  readonly os: string;
  readonly warn: (message: string, hint?: string) => void;
  /** `/etc` when absent. */
  readonly systemFolder?: string | undefined;
  /** Reads folders and files; the file system when absent. */
  readonly files?: FileReader | undefined;
}

export interface FileReader {
  list(folder: string): Promise<readonly string[]>;
  read(path: string): Promise<string>;
}

const NO_CERTIFICATES: HostCertificates = { ca: [], cert: [], key: [] };

const FILES: FileReader = {
  list: (folder) => readdir(folder),
  read: (path) => readFile(path, 'utf8'),
};

/**
 * The folders with certificates of registries, podman's and skopeo's first. Each has one folder a
 * registry.
 */
export function certificateFolders({
  home,
  systemFolder = '/etc',
}: Pick<CertsDOptions, 'home' | 'systemFolder'>): readonly string[] {
  return [
    join(home, '.config/containers/certs.d'),
    join(systemFolder, 'containers/certs.d'),
    join(home, '.config/docker/certs.d'),
    join(systemFolder, 'docker/certs.d'),
  ];
}

/**
 * Reads the certificates for a registry from the first folder that exists for it. `*.crt` are
 * authorities, `X.cert` and `X.key` are a client certificate, and other files are ignored. Folders
 * are not merged. A folder without permission is skipped.
 *
 * @param host exactly as written in references: an absent port does not mean 443.
 * @throws {InvalidConfigError} when half of a pair is missing, or a file cannot be read.
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-certs.d.5.md
 */
export async function readHostCertificates(
  host: string,
  options: CertsDOptions,
): Promise<HostCertificates> {
  const { files = FILES, home, os } = options;
  // File names on Windows cannot contain a colon, and docker omits it.
  const name = os === 'windows' ? host.replace(':', '') : host;
  for (const parent of certificateFolders(options)) {
    const folder = join(parent, name);
    const names = await list(folder, files, home);
    if (names !== undefined) return readCertificates(folder, names, files, options);
  }
  return NO_CERTIFICATES;
}

async function list(
  folder: string,
  files: FileReader,
  home: string,
): Promise<readonly string[] | undefined> {
  try {
    return (await files.list(folder)).toSorted();
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EPERM' || isWithoutHome(folder))
      return undefined;
    throw new InvalidConfigError(
      `Cannot read the certificates in "${showPath(folder, home)}": ${code}`,
      { hint: 'make it a folder, or remove it', cause },
    );
  }
}

async function readCertificates(
  folder: string,
  names: readonly string[],
  files: FileReader,
  { home, warn }: CertsDOptions,
): Promise<HostCertificates> {
  const shown = showPath(folder, home);
  const read = (name: string): Promise<string> =>
    readFrom(files.read(join(folder, name)), `${shown}/${name}`);
  const certificates = { ca: [] as string[], cert: [] as string[], key: [] as string[] };
  for (const name of names) {
    if (name.endsWith('.crt')) {
      const text = await read(name).catch(ignoreDangling);
      if (text === undefined) continue;
      if (hasCertificate(text)) certificates.ca.push(text);
      else
        warn(
          `Cannot use "${shown}/${name}": expected PEM certificates, found none`,
          'convert it to PEM, which begins with -----BEGIN CERTIFICATE-----',
        );
      continue;
    }
    const { base, kind } = /^(?<base>.*)\.(?<kind>cert|key)$/.exec(name)?.groups ?? {};
    if (kind === undefined) continue;
    const other = `${base}.${kind === 'cert' ? 'key' : 'cert'}`;
    if (!names.includes(other)) {
      throw new InvalidConfigError(
        kind === 'cert'
          ? `Cannot find the key "${other}" of the client certificate "${name}" in "${shown}"`
          : `Cannot find the client certificate "${other}" of the key "${name}" in "${shown}"`,
        {
          hint:
            kind === 'cert'
              ? 'put the key there; if the certificate is an authority, rename it to *.crt'
              : 'put the certificate there',
        },
      );
    }
    if (kind === 'key') continue;
    certificates.cert.push(await read(name));
    certificates.key.push(await read(other));
  }
  return certificates;
}

async function readFrom(text: Promise<string>, shown: string): Promise<string> {
  try {
    return await text;
  } catch (cause) {
    throw new InvalidConfigError(`Cannot read "${shown}": ${codeOf(cause)}`, {
      hint: `make it readable: chmod u+r ${shown}`,
      cause,
    });
  }
}

/** Ignores a link to an absent authority. */
function ignoreDangling(error: unknown): undefined {
  if (!(error instanceof InvalidConfigError) || codeOf(error.cause) !== 'ENOENT') throw error;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
