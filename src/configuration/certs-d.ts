import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { showPath } from '../disk/config-file.ts';
import { InvalidConfigError } from '../errors.ts';
import { hasCertificate } from './authorities.ts';

/** Certificates for one registry. PEM texts; each client certificate has its key at the same place. */
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
  /** How folders and files are read; of the file system when absent. */
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

/** The folders that may hold certificates of registries, those of podman and skopeo first, each with one folder a registry. */
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
 * Reads the certificates for a registry from the first folder that has some for it: `*.crt` are authorities, `X.cert` and `X.key` are a
 * client certificate, everything else is ignored. Folders are not merged, and one that may not be looked into is passed over.
 *
 * @param host exactly as written in references: a port that is left out is not 443 here.
 * @throws {InvalidConfigError} when half of a pair is missing, or a file cannot be read.
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-certs.d.5.md
 */
export async function readHostCertificates(
  host: string,
  options: CertsDOptions,
): Promise<HostCertificates> {
  const { files = FILES, home, os } = options;
  // A file name of Windows has no colon: docker leaves it out there.
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
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EPERM') return undefined;
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
  const read = (name: string): Promise<string> => files.read(join(folder, name));
  const certificates = { ca: [] as string[], cert: [] as string[], key: [] as string[] };
  for (const name of names) {
    if (name.endsWith('.crt')) {
      const text = await readAuthority(read(name), `${shown}/${name}`);
      if (text === undefined) continue;
      if (hasCertificate(text)) certificates.ca.push(text);
      else
        warn(
          `Cannot use "${shown}/${name}": expected PEM certificates, found none`,
          'write it in PEM, beginning with -----BEGIN CERTIFICATE-----',
        );
    } else if (name.endsWith('.cert')) {
      const key = `${name.slice(0, -'.cert'.length)}.key`;
      if (!names.includes(key)) {
        throw new InvalidConfigError(
          `Cannot find the key "${key}" of the client certificate "${name}" in "${shown}"`,
          {
            hint: 'put the key there; if it is no client certificate but an authority, name it *.crt',
          },
        );
      }
      certificates.cert.push(await readHalf(read(name), `${shown}/${name}`));
      certificates.key.push(await readHalf(read(key), `${shown}/${key}`));
    } else if (name.endsWith('.key')) {
      const cert = `${name.slice(0, -'.key'.length)}.cert`;
      if (names.includes(cert)) continue;
      throw new InvalidConfigError(
        `Cannot find the client certificate "${cert}" of the key "${name}" in "${shown}"`,
        { hint: 'put the certificate there' },
      );
    }
  }
  return certificates;
}

/** Undefined for a link that leads nowhere. */
async function readAuthority(text: Promise<string>, shown: string): Promise<string | undefined> {
  try {
    return await text;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw unreadable(shown, cause);
  }
}

async function readHalf(text: Promise<string>, shown: string): Promise<string> {
  try {
    return await text;
  } catch (cause) {
    throw unreadable(shown, cause);
  }
}

function unreadable(shown: string, cause: unknown): InvalidConfigError {
  return new InvalidConfigError(`Cannot read "${shown}": ${codeOf(cause)}`, {
    hint: `make it readable: chmod u+r ${shown}`,
    cause,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
