import { resolve } from 'node:path';

import type { ParsedArguments } from '../../command.ts';
import type { ProgressMode, Settings } from '../../context.ts';
import type { PasswordPointer } from '../../credentials/pointer.ts';
import type { Io } from '../../io.ts';
import {
  parseBytes,
  parseCount,
  parsePasswordPointer,
  parseHost,
  parseHostOrCidr,
  parseSeconds,
} from '../../option-values.ts';
import type { GlobalOptionName } from './global-options.ts';

const DEFAULT_RETRIES = 5;
/** Servers may take more connections than this for an attack. */
const MAX_CONCURRENCY = 256;
const MAX_RETRIES = 100;

type OptionValues = ParsedArguments['options'];

/**
 * Parses the global flags. Paths become absolute. `REGI_INSECURE_REGISTRIES` (separated by commas or spaces) adds to
 * `--insecure-registry`.
 *
 * @throws {UsageError} at the first invalid value.
 */
export function parseSettings(
  values: OptionValues,
  { env, cwd }: Pick<Io, 'env' | 'cwd'>,
): Settings {
  const path = (name: GlobalOptionName): string | undefined =>
    parsed(values, name, (_, text) => resolve(cwd, text));
  return {
    json: values['json'] === true,
    quiet: values['quiet'] === true,
    verbosity: parseVerbosity(list(values, 'verbose').length),
    progress: parseProgress(values),
    concurrency: parsed(values, 'concurrency', (where, text) =>
      parseCount(where, text, 1, MAX_CONCURRENCY),
    ),
    limitRate: parsed(values, 'limit-rate', parseBytes),
    chunkSize: parsed(values, 'chunk-size', parseBytes),
    insecureRegistries: [
      ...list(values, 'insecure-registry').map((text) =>
        parseHostOrCidr('--insecure-registry', text),
      ),
      ...(env['REGI_INSECURE_REGISTRIES'] ?? '')
        .split(/[\s,]+/)
        .filter((text) => text !== '')
        .map((text) => parseHostOrCidr('REGI_INSECURE_REGISTRIES', text)),
    ],
    plainHttp: list(values, 'plain-http').map((text) => parseHost('--plain-http', text)),
    tlsSkipVerify: list(values, 'tls-skip-verify').map((text) =>
      parseHost('--tls-skip-verify', text),
    ),
    caFile: path('ca-file'),
    authfile: path('authfile'),
    sourceCredentials: parsed(values, 'src-creds', (where, text) =>
      withAbsolutePath(parsePasswordPointer(where, text), cwd),
    ),
    destinationCredentials: parsed(values, 'dest-creds', (where, text) =>
      withAbsolutePath(parsePasswordPointer(where, text), cwd),
    ),
    timeoutMs: parsed(values, 'timeout', parseSeconds),
    retries:
      parsed(values, 'retry', (where, text) => parseCount(where, text, 0, MAX_RETRIES)) ??
      DEFAULT_RETRIES,
  };
}

/** Decides whether to colour standard error: by the flag, then NO_COLOR (https://no-color.org), then whether it is a terminal. */
export function wantsColor(
  values: OptionValues,
  { env, stderr }: Pick<Io, 'env' | 'stderr'>,
): boolean {
  const when = values['color'];
  if (when === 'always') return true;
  if (when === 'never' || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb') return false;
  return stderr.isTTY;
}

function parsed<Value>(
  values: OptionValues,
  name: GlobalOptionName,
  parse: (where: string, text: string) => Value,
): Value | undefined {
  const value = values[name];
  return typeof value === 'string' ? parse(`--${name}`, value) : undefined;
}

function list(values: OptionValues, name: GlobalOptionName): readonly string[] {
  const value = values[name];
  return typeof value === 'object' ? value : [];
}

function parseVerbosity(count: number): Settings['verbosity'] {
  if (count === 0) return 0;
  return count === 1 ? 1 : 2;
}

function parseProgress(values: OptionValues): ProgressMode {
  if (values['quiet'] === true) return 'none';
  const mode = values['progress'];
  return mode === 'plain' || mode === 'json' || mode === 'none' ? mode : 'auto';
}

function withAbsolutePath(pointer: PasswordPointer, cwd: string): PasswordPointer {
  return pointer.from.kind === 'file'
    ? { ...pointer, from: { kind: 'file', path: resolve(cwd, pointer.from.path) } }
    : pointer;
}
