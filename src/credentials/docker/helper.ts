import * as z from 'zod/mini';

import { assertNever, RegiError, type ErrorCode } from '../../errors.ts';
import { tryParseJson, withFoldedNames } from '../../json.ts';
import { LIMITS } from '../../limits.ts';
import { printable } from '../../redact.ts';
import { askProgram, type ProgramResult } from '../ask-program.ts';
import type { StoredSecret } from '../credential.ts';

export type HelperVerb = 'get' | 'store' | 'erase' | 'list';

/** Runs `docker-credential-<name> <verb>` with `input` on its standard input. */
export type RunHelper = (
  name: string,
  verb: HelperVerb,
  input: string,
  signal: AbortSignal | undefined,
) => Promise<ProgramResult>;

/**
 * A credential helper failed. It is never skipped: other credentials may belong to another person.
 */
export class CredentialHelperError extends RegiError {
  constructor(program: string, code: ErrorCode, problem: string, hint: string) {
    super(code, `Cannot ask credential helper "${program}": ${problem}`, { hint });
  }
}

/** regi's own helper: `docker-credential-regi` returns logins from the keychain. */
export const OWN_HELPER = 'regi';

/** Long enough to type a passphrase into a window. Milliseconds. */
const HELPER_TIMEOUT_MS = 60_000;

/**
 * The output of every helper that has no login for a key.
 *
 * @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/credentials/error.go
 */
export const HELPER_NOT_FOUND = 'credentials not found in native keychain';

/** docker reads any case of the names, and a login without members as none. */
const loginShape = z.object({
  Username: z._default(z.string(), ''),
  Secret: z._default(z.string(), ''),
});
const LOGIN_NAMES: ReadonlySet<string> = new Set(Object.keys(loginShape.shape));
const listShape = z.nullable(z.record(z.string(), z.string()));

/**
 * Asks a docker credential helper for the login under `key`; undefined when it has none.
 *
 * @throws {CredentialHelperError} when it is missing, fails, times out or prints anything else.
 * @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/README.md#development
 */
export async function askHelper(
  name: string,
  key: string,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<StoredSecret | undefined> {
  const stdout = await outputOf(name, 'get', key, run, signal);
  if (stdout === undefined) return undefined;
  const login = loginShape.safeParse(withFoldedNames(tryParseJson(stdout), LOGIN_NAMES));
  if (!login.success) throw failure(name, 'FAILED', 'expected JSON with "Username" and "Secret"');
  const { Username: username, Secret: secret } = login.data;
  return username === '' && secret === '' ? undefined : { username, secret };
}

/**
 * Stores a login in a helper under `key`, and replaces an existing one.
 *
 * @throws {CredentialHelperError} when the helper fails.
 */
export async function storeWithHelper(
  name: string,
  key: string,
  { username, secret }: StoredSecret,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: key, Username: username, Secret: secret });
  // A helper may quote its input in an error, and with it the secret.
  const silent: RunHelper = async (...call) => {
    const result = await run(...call);
    if (result.kind !== 'exited') return result;
    const hide = (text: string): string =>
      text.replaceAll(secret, '***').replaceAll(JSON.stringify(secret).slice(1, -1), '***');
    return { ...result, stdout: hide(result.stdout), stderr: hide(result.stderr ?? '') };
  };
  if ((await outputOf(name, 'store', input, silent, signal)) === undefined)
    throw failure(name, 'FAILED', 'it reported "not found" while storing');
}

/**
 * Removes the login under `key` from a helper; succeeds if it has none.
 *
 * @throws {CredentialHelperError} when the helper fails.
 */
export async function eraseWithHelper(
  name: string,
  key: string,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<void> {
  await outputOf(name, 'erase', key, run, signal);
}

/**
 * Lists the keys for which a helper has a login, with their user names.
 *
 * @throws {CredentialHelperError} when it fails, or does not support `list`.
 */
export async function listOfHelper(
  name: string,
  run: RunHelper,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const stdout = (await outputOf(name, 'list', 'unused', run, signal))?.trim() || '{}';
  const list = listShape.safeParse(tryParseJson(stdout));
  if (!list.success)
    throw failure(name, 'FAILED', 'expected JSON with a user name for each registry');
  return new Map(Object.entries(list.data ?? {}));
}

/** The standard output of a helper; undefined when it has no such login. */
async function outputOf(
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
        `install ${programOf(name)}, or remove "${printable(name, 60)}" from credHelpers, credsStore and credential-helpers`,
      );
    case 'not-runnable':
      throw failure(
        name,
        'INVALID_CONFIG',
        `the system does not run it (${result.errno})`,
        `make it executable, or remove "${printable(name, 60)}" from credHelpers, credsStore and credential-helpers`,
      );
    case 'timed-out':
      throw failure(
        name,
        'TIMEOUT',
        `no output within ${result.timeoutMs / 1000} s`,
        `find out what it waits for: ${programOf(name)} list; to wait longer: --timeout SECONDS`,
      );
    case 'too-much':
      throw failure(name, 'FAILED', `expected at most ${LIMITS.helperBytes} bytes`);
    case 'exited':
      if (result.status === 0) return result.stdout;
      if (result.stdout.trim() === HELPER_NOT_FOUND) return undefined;
      throw failure(name, 'FAILED', `it ended with status ${result.status}${saidBy(result)}`);
    default:
      return assertNever(result);
  }
}

/**
 * What a helper said: on standard output by docker's protocol, but many explain themselves on
 * standard error.
 */
function saidBy({ stdout, stderr = '' }: { stdout: string; stderr?: string | undefined }): string {
  const said = [stdout, stderr].map((text) => text.trim()).find((text) => text !== '');
  return said === undefined ? ' and said nothing' : ` and said "${printable(said, 200)}"`;
}

/** The program of a helper, as a person types it. */
export function programOf(name: string): string {
  return `docker-credential-${printable(name, 60)}`;
}

function failure(name: string, code: ErrorCode, problem: string, hint?: string) {
  const program = programOf(name);
  return new CredentialHelperError(program, code, problem, hint ?? `run it: ${program} list`);
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
