import { X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { parseHost } from '../../option-values.ts';
import { authenticateHtpasswd } from '../../server/htpasswd.ts';
import type { ServerOptions } from '../../server/server.ts';
import { value, values } from '../arguments/arguments.ts';
import { formatListenAddress, isLoopback, type ListenAddress } from './listen-address.ts';

/** A file of passwords, of a certificate or of a key that cannot be used. */
class UnusableFileError extends RegiError {
  readonly path: string;

  constructor(
    flag: string,
    path: string,
    problem: string,
    options: { readonly hint: string; readonly cause?: unknown },
  ) {
    super(
      'INVALID_CONFIG',
      `Cannot use the file ${JSON.stringify(path)} of "${flag}": ${problem}`,
      options,
    );
    this.path = path;
  }
}

/** Who may come in, over what, and under which names. */
export type ServeSecurity = Pick<ServerOptions, 'authenticate' | 'tls' | 'allowedHosts'>;

/**
 * Reads the flags that say who may come in.
 *
 * @throws {UsageError} when everybody in the network could write.
 * @throws {UnusableFileError} when a file is missing or is not what it has to be.
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
      `Cannot listen on ${formatListenAddress(listen)} for everybody to write: expected --htpasswd or --read-only`,
      {
        hint: 'add --read-only, or --htpasswd FILE with a file that `htpasswd -Bc FILE USER` makes',
      },
    );
  }
  const tls = await readTls(args, context);
  if (isOpen && htpasswd !== undefined && tls === undefined) {
    context.warn(
      'Passwords cross the network readable by everybody on the way',
      'add --tls-cert and --tls-key',
    );
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
    throw new UnusableFileError('--tls-cert', certPath, 'expected certificates in PEM', {
      cause,
      hint: "the server's own certificate comes first in it",
    });
  }
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new UnusableFileError(
      '--tls-key',
      keyPath,
      'expected the private key of the certificate, in PEM and without a password',
      {
        cause,
        hint: 'take the key that the certificate was made for',
      },
    );
  }
  return { cert, key };
}

/** A page of another name fails at the certificate already. */
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
    const problem =
      cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
        ? 'there is none'
        : 'it cannot be read';
    throw new UnusableFileError(flag, path, problem, {
      cause,
      hint: 'check the path and who may read it',
    });
  }
  throw new UnusableFileError(flag, path, `expected at most ${LIMITS.credentialFileBytes} bytes`, {
    hint: 'check the path',
  });
}
