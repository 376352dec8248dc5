import { spawn } from 'node:child_process';

import * as z from 'zod/mini';

import { assertNever, RegiError, type ErrorCode } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { printable } from '../redact.ts';

/** How a helper ended. */
export type HelperResult =
  | { readonly kind: 'exited'; readonly status: number; readonly stdout: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'too-much' };

/** Runs `docker-credential-<name> get` with `input` on its standard input. */
export type RunHelper = (name: string, input: string, signal: AbortSignal | undefined) => Promise<HelperResult>;

export interface HelperLogin {
  readonly username: string;
  readonly secret: string;
}

/** A credential helper that gave no answer that can be used. It is never passed over: other credentials may be for another person. */
export class CredentialHelperError extends RegiError {
  readonly code: ErrorCode;
  /** Such as `docker-credential-pass`. */
  readonly program: string;

  constructor(program: string, code: ErrorCode, problem: string, hint: string) {
    super(`Cannot ask credential helper "${program}": ${problem}`, { hint });
    this.code = code;
    this.program = program;
  }
}

/** Long enough to type a passphrase into a window. Milliseconds. */
const HELPER_TIMEOUT_MS = 60_000;
/** What all helpers say when they do not have it. @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/credentials/error.go */
const NOT_FOUND = 'credentials not found in native keychain';

const answerShape = z.object({ Username: z.string(), Secret: z.string() });

/**
 * Asks a docker credential helper for what it keeps under `key`; undefined when it has nothing.
 *
 * @throws {CredentialHelperError} when it is missing, fails, does not answer in time or answers something else.
 * @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/README.md#development
 */
export async function askHelper(name: string, key: string, run: RunHelper, signal?: AbortSignal): Promise<HelperLogin | undefined> {
  const program = `docker-credential-${printable(name, 60)}`;
  const hint = `see what it says: ${program} list`;
  if (!/^[\w.-]+$/.test(name))
    throw new CredentialHelperError(program, 'INVALID_CONFIG', 'expected a name of letters, digits, ".", "_" and "-"', 'correct the name in the configuration');
  const result = await run(name, key, signal);
  switch (result.kind) {
    case 'missing':
      throw new CredentialHelperError(
        program,
        'INVALID_CONFIG',
        'found no such program on PATH',
        `install ${program}, or remove "${name}" from credHelpers and credsStore`,
      );
    case 'timed-out':
      throw new CredentialHelperError(program, 'TIMEOUT', `expected an answer within ${HELPER_TIMEOUT_MS / 1000} s`, hint);
    case 'too-much':
      throw new CredentialHelperError(program, 'FAILED', `expected at most ${LIMITS.helperBytes} bytes`, hint);
    case 'exited':
      return readAnswer(result.status, result.stdout, program, hint);
    default:
      return assertNever(result);
  }
}

function readAnswer(status: number, stdout: string, program: string, hint: string): HelperLogin | undefined {
  if (status !== 0) {
    if (stdout.trim() === NOT_FOUND) return undefined;
    throw new CredentialHelperError(program, 'FAILED', `it ended with status ${status} and said "${printable(stdout.trim(), 200)}"`, hint);
  }
  const answer = answerShape.safeParse(parseJson(stdout));
  if (!answer.success) throw new CredentialHelperError(program, 'FAILED', 'expected JSON with "Username" and "Secret"', hint);
  const { Username: username, Secret: secret } = answer.data;
  return username === '' && secret === '' ? undefined : { username, secret };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Runs real helpers, found on the PATH of `env`. */
export function createHelperRunner(env: Readonly<Record<string, string | undefined>>, timeoutMs: number = HELPER_TIMEOUT_MS): RunHelper {
  return (name, input, signal) =>
    new Promise((resolve, reject) => {
      const program = spawn(`docker-credential-${name}`, ['get'], { env: { ...env }, stdio: ['pipe', 'pipe', 'ignore'], windowsHide: true });
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        program.kill('SIGKILL');
        // A grandchild may hold the pipe open after the helper is gone.
        program.stdout.destroy();
        settle();
      };
      const onAbort = (): void => finish(() => reject(signal?.reason));
      const timer = setTimeout(() => finish(() => resolve({ kind: 'timed-out' })), timeoutMs);
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      program.on('error', (error) => finish(() => (isMissing(error) ? resolve({ kind: 'missing' }) : reject(error))));
      program.once('close', (status) => finish(() => resolve({ kind: 'exited', status: status ?? -1, stdout: Buffer.concat(chunks).toString('utf8') })));
      program.stdout.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.byteLength;
        if (size > LIMITS.helperBytes) finish(() => resolve({ kind: 'too-much' }));
      });
      // A helper may end without reading what it is asked.
      program.stdin.on('error', () => undefined);
      program.stdin.end(`${input}\n`);
    });
}

function isMissing(error: Error): boolean {
  return 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
