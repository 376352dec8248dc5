import * as z from 'zod/mini';

import { assertNever, RegiError, type ErrorCode } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { printable } from '../../redact.ts';
import { askProgram, type ProgramResult } from '../ask-program.ts';
import { tryParseJson } from '../../json.ts';

export type HelperVerb = 'get' | 'store' | 'erase' | 'list';

/** Runs `docker-credential-<name> <verb>` with `input` on its standard input. */
export type RunHelper = (
  name: string,
  verb: HelperVerb,
  input: string,
  signal: AbortSignal | undefined,
) => Promise<ProgramResult>;

export interface HelperLogin {
  readonly username: string;
  readonly secret: string;
}

/** A credential helper that gave no answer that can be used. It is never passed over: other credentials may be for another person. */
export class CredentialHelperError extends RegiError {
  /** Such as `docker-credential-pass`. */
  readonly program: string;

  constructor(program: string, code: ErrorCode, problem: string, hint: string) {
    super(code, `Cannot ask credential helper "${program}": ${problem}`, { hint });
    this.program = program;
  }
}

/** Ours: `docker-credential-regi` gives what the keychain has. */
export const OWN_HELPER = 'regi';

/** Long enough to type a passphrase into a window. Milliseconds. */
const HELPER_TIMEOUT_MS = 60_000;
/** What all helpers say when they do not have it. @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/credentials/error.go */
const NOT_FOUND = 'credentials not found in native keychain';

const answerShape = z.object({ Username: z.string(), Secret: z.string() });
const listShape = z.nullable(z.record(z.string(), z.string()));

/**
 * Asks a docker credential helper for what it keeps under `key`; undefined when it has nothing.
 *
 * @throws {CredentialHelperError} when it is missing, fails, does not answer in time or answers something else.
 * @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/README.md#development
 */
export async function askHelper(
  name: string,
  key: string,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<HelperLogin | undefined> {
  const stdout = await runToAnswer(name, 'get', key, run, signal);
  if (stdout === undefined) return undefined;
  const answer = answerShape.safeParse(tryParseJson(stdout));
  if (!answer.success) throw failure(name, 'FAILED', 'expected JSON with "Username" and "Secret"');
  const { Username: username, Secret: secret } = answer.data;
  return username === '' && secret === '' ? undefined : { username, secret };
}

/**
 * Has a helper keep a login under `key`, in place of what it had there.
 *
 * @throws {CredentialHelperError} when it does not.
 */
export async function storeWithHelper(
  name: string,
  key: string,
  { username, secret }: HelperLogin,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: key, Username: username, Secret: secret });
  // A helper that quotes its input in an error must not bring the secret back.
  const silent: RunHelper = async (...call) => {
    const result = await run(...call);
    return result.kind === 'exited'
      ? {
          ...result,
          stdout: result.stdout
            .replaceAll(secret, '***')
            .replaceAll(JSON.stringify(secret).slice(1, -1), '***'),
        }
      : result;
  };
  const stdout = await runToAnswer(name, 'store', input, silent, signal);
  if (stdout === undefined)
    throw failure(name, 'FAILED', 'it says that it has nothing, where it was to store');
}

/**
 * Has a helper forget what it keeps under `key`; nothing there is fine too.
 *
 * @throws {CredentialHelperError} when it fails.
 */
export async function eraseWithHelper(
  name: string,
  key: string,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<void> {
  await runToAnswer(name, 'erase', key, run, signal);
}

/**
 * The keys that a helper has something for, with their user names.
 *
 * @throws {CredentialHelperError} when it fails, or does not know how to list.
 */
export async function listOfHelper(
  name: string,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const stdout = await runToAnswer(name, 'list', 'unused', run, signal);
  const list = listShape.safeParse(
    stdout === undefined || stdout.trim() === '' ? {} : tryParseJson(stdout),
  );
  if (!list.success)
    throw failure(name, 'FAILED', 'expected JSON with a user name for each registry');
  return new Map(Object.entries(list.data ?? {}));
}

/** What it printed; undefined when it says that it has nothing. */
async function runToAnswer(
  name: string,
  verb: HelperVerb,
  input: string,
  run: RunHelper,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (!/^[\w.-]+$/.test(name)) {
    throw failure(
      name,
      'INVALID_CONFIG',
      'expected a name of letters, digits, ".", "_" and "-"',
      'correct the name in the configuration',
    );
  }
  const result = await run(name, verb, input, signal);
  switch (result.kind) {
    case 'missing':
      throw failure(
        name,
        'INVALID_CONFIG',
        'found no such program on PATH',
        `install ${programOf(name)}, or remove "${printable(name, 60)}" from credHelpers and credsStore`,
      );
    case 'timed-out':
      throw failure(name, 'TIMEOUT', `expected an answer within ${HELPER_TIMEOUT_MS / 1000} s`);
    case 'too-much':
      throw failure(name, 'FAILED', `expected at most ${LIMITS.helperBytes} bytes`);
    case 'exited':
      if (result.status === 0) return result.stdout;
      if (result.stdout.trim() === NOT_FOUND) return undefined;
      throw failure(
        name,
        'FAILED',
        `it ended with status ${result.status} and said "${printable(result.stdout.trim(), 200)}"`,
      );
    default:
      return assertNever(result);
  }
}

/** The program of a helper, as a person types it. */
export function programOf(name: string): string {
  return `docker-credential-${printable(name, 60)}`;
}

function failure(
  name: string,
  code: ErrorCode,
  problem: string,
  hint?: string,
): CredentialHelperError {
  const program = programOf(name);
  return new CredentialHelperError(
    program,
    code,
    problem,
    hint ?? `see what it says: ${program} list`,
  );
}

/** Runs real helpers, found on the PATH of `env`. */
export function createHelperRunner(
  env: Readonly<Record<string, string | undefined>>,
  timeoutMs: number = HELPER_TIMEOUT_MS,
): RunHelper {
  return (name, verb, input, signal) =>
    askProgram(`docker-credential-${name}`, [verb], {
      input: `${input}\n`,
      env,
      timeoutMs,
      signal,
    });
}
