import { resolve } from 'node:path';

import type { ParsedArguments } from '../../command.ts';
import type { ProgressMode, Settings } from '../../context.ts';
import type { PasswordPointer } from '../../credentials/pointer.ts';
import type { Io, TextOutput } from '../../io.ts';
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
 * Parses the global flags. Paths become absolute. `REGI_INSECURE_REGISTRIES` (separated by commas
 * or spaces) adds to `--insecure-registry`.
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

/**
 * CI services whose logs show colours, by a variable that each sets. Others would show the escape
 * sequences.
 */
const COLOURFUL_CI = [
  'GITHUB_ACTIONS',
  'GITEA_ACTIONS',
  'GITLAB_CI',
  'CIRCLECI',
  'TRAVIS',
  'APPVEYOR',
  'BUILDKITE',
  'DRONE',
] as const;

/**
 * Decides whether a stream gets colours: by `--color`, then FORCE_COLOR (as chalk and Node read
 * it), then NO_COLOR (https://no-color.org), then whether it is a terminal or CI log that shows
 * them.
 */
export function wantsColor(
  flag: OptionValues[string],
  env: Io['env'],
  { isTTY }: Pick<TextOutput, 'isTTY'>,
): boolean {
  if (flag === 'always') return true;
  if (flag === 'never') return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if ((env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb' || !isTTY) return false;
  return !isCiJob(env) || COLOURFUL_CI.some((name) => env[name] !== undefined);
}

/**
 * True in a job of a CI service. Some run jobs at a terminal, whose log keeps every redrawn line.
 */
export function isCiJob(env: Io['env']): boolean {
  return !['', '0', 'false'].includes(env['CI'] ?? '');
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
