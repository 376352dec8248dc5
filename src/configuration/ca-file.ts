import { readFile } from 'node:fs/promises';

import { InvalidConfigError } from '../credentials/invalid-config.ts';
import { hasCertificate } from './pem.ts';

/**
 * Reads a file of certificate authorities that the user named.
 *
 * @param where it was named: `--ca-file`.
 * @throws {InvalidConfigError} when it cannot be read, or holds no certificate.
 */
export async function readCaFile(path: string, where: string, signal: AbortSignal): Promise<string> {
  const hint = `give ${where} a file of PEM certificates`;
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    throw new InvalidConfigError(`Cannot read the certificate authorities in "${path}": ${reason}`, { hint, cause });
  }
  if (hasCertificate(text)) return text;
  throw new InvalidConfigError(`Cannot use the certificate authorities in "${path}": expected PEM certificates, found none`, { hint });
}
