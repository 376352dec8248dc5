import { X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { errnoOf } from '../../disk/errno.ts';
import { RegiError, UsageError, type RegiErrorOptions } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { parseHost } from '../../option-values.ts';
import { quote } from '../../quote.ts';
import { authenticateHtpasswd } from '../../server/htpasswd.ts';
import type { ServerOptions } from '../../server/server.ts';
import { value, values } from '../arguments/arguments.ts';
import { formatListenAddress, isLoopback, type ListenAddress } from './listen-address.ts';

/** The authentication, encryption and host names of a server. */
export type ServeSecurity = Pick<ServerOptions, 'authenticate' | 'tls' | 'allowedHosts'>;

/**
 * Reads the flags that restrict access.
 *
 * @throws {UsageError} when every host in the network could write.
 * @throws {RegiError} INVALID_CONFIG for a file that is missing or cannot be used.
 */
export async function readServeSecurity(
  args: ParsedArguments,
  { listen, readOnly }: { readonly listen: ListenAddress; readonly readOnly: boolean },
  context: Context,
): Promise<ServeSecurity> {
  const htpasswd = value(args, 'htpasswd');
  const names = values(args, 'allow-host').map((name) => parseHost('--allow-host', name));
  const isOpen = !isLoopback(listen.host);
  if (isOpen && htpasswd === undefined && !readOnly) {
    throw new UsageError(
      `Cannot listen on ${formatListenAddress(listen)} and let every client write: expected --htpasswd or --read-only`,
      {
        hint: 'add --read-only, or --htpasswd FILE with a file that `htpasswd -Bc FILE USER` makes',
      },
    );
  }
  const tls = await readTls(args, context);
  if (isOpen && htpasswd !== undefined && tls === undefined) {
    context.warn('Passwords cross the network unencrypted', 'add --tls-cert and --tls-key');
  }
  return {
    tls,
    authenticate:
      htpasswd === undefined
        ? undefined
        : authenticateHtpasswd(await readText('--htpasswd', htpasswd, context)),
    allowedHosts: [...names, ...(tls === undefined ? [] : namesOf(tls.cert))],
  };
}

async function readTls(
  args: ParsedArguments,
  context: Context,
): Promise<{ readonly cert: string; readonly key: string } | undefined> {
  const [certPath, keyPath] = [value(args, 'tls-cert'), value(args, 'tls-key')];
  if (certPath === undefined && keyPath === undefined) return undefined;
  if (certPath === undefined || keyPath === undefined) {
    const [given, missing] =
      certPath === undefined ? ['--tls-key', '--tls-cert'] : ['--tls-cert', '--tls-key'];
    throw new UsageError(`Cannot use "${given}" without "${missing}"`, {
      hint: `add ${missing} FILE`,
    });
  }
  const [cert, key] = await Promise.all([
    readText('--tls-cert', certPath, context),
    readText('--tls-key', keyPath, context),
  ]);
  try {
    createSecureContext({ cert });
  } catch (cause) {
    throw unusableFile('--tls-cert', certPath, 'expected certificates in PEM', {
      cause,
      hint: "put the server's own certificate first",
    });
  }
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw unusableFile(
      '--tls-key',
      keyPath,
      'expected the private key of the certificate, in PEM and without a password',
      { cause, hint: 'use the key that the certificate was made for' },
    );
  }
  return { cert, key };
}

/** Lists the names in a certificate. Requests under other names fail its check anyway. */
function namesOf(cert: string): readonly string[] {
  const { subjectAltName = '' } = new X509Certificate(cert);
  return [...subjectAltName.matchAll(/(?:^|, )DNS:(?<name>[A-Za-z0-9.-]+)(?=,|$)/g)].map(
    (match) => match.groups?.['name'] ?? '',
  );
}

async function readText(flag: string, path: string, { io }: Context): Promise<string> {
  try {
    const file = await open(resolve(io.cwd, path), 'r');
    try {
      const { size } = await file.stat();
      if (size <= LIMITS.credentialFileBytes) return await file.readFile({ encoding: 'utf8' });
    } finally {
      await file.close();
    }
  } catch (cause) {
    const problem = errnoOf(cause) === 'ENOENT' ? 'there is no such file' : 'it cannot be read';
    throw unusableFile(flag, path, problem, { cause, hint: 'check the path and its permissions' });
  }
  throw unusableFile(flag, path, `expected at most ${LIMITS.credentialFileBytes} bytes`, {
    hint: 'check the path',
  });
}

function unusableFile(
  flag: string,
  path: string,
  problem: string,
  options: RegiErrorOptions,
): RegiError {
  return new RegiError(
    'INVALID_CONFIG',
    `Cannot use the file ${quote(path)} of "${flag}": ${problem}`,
    options,
  );
}
