import * as z from 'zod/mini';

import type { Clock } from '../../clock.ts';
import { assertNever, RegiError, type ErrorCode } from '../../errors.ts';
import { printable } from '../../redact.ts';
import { tryParseJson } from '../../json.ts';
import type { StoredSecret } from '../credential.ts';
import { type KeychainRequest, type RunKeychain, sessionBus } from './program.ts';

/** The keychain of the system: Secret Service, macOS Keychain, Windows Credential Manager. */
export interface Keychain {
  /**
   * The login under `account`; undefined for none.
   *
   * @throws {KeychainError} when the keychain cannot be used.
   */
  get(account: string, signal?: AbortSignal): Promise<StoredSecret | undefined>;
  /** @throws {KeychainError} when the keychain cannot be used. */
  set(account: string, login: StoredSecret, signal?: AbortSignal): Promise<void>;
  /**
   * Removes the login under `account`; succeeds if there is none.
   *
   * @throws {KeychainError} when the keychain cannot be used.
   */
  delete(account: string, signal?: AbortSignal): Promise<void>;
}

/** A keychain that is absent, locked, or does not respond. */
export class KeychainError extends RegiError {
  /** Such as `it is locked, and was not unlocked`. */
  readonly reason: string;

  constructor(reason: string, hint: string, code: ErrorCode = 'FAILED') {
    super(code, `Cannot use the keychain: ${reason}`, { hint });
    this.reason = reason;
  }
}

export interface KeychainOptions {
  /** Undefined if this build cannot use the keychain. */
  readonly run: RunKeychain | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As in platforms: `linux`, `darwin`, `windows`. */
  readonly os: string;
  /** True if a person can type into an unlock prompt. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  /** Called with a line that says what regi is waiting for. */
  readonly note: (message: string) => void;
}

/** Without a person at a terminal, the whole command ends within five seconds. Milliseconds. */
const UNATTENDED_TIMEOUT_MS = 3_500;
/** Long enough to find the window and type a passphrase. Milliseconds. */
const ATTENDED_TIMEOUT_MS = 60_000;
/** An unlocked keychain responds much sooner. Milliseconds. */
const PATIENCE_MS = 1_000;

/**
 * CRED_MAX_CREDENTIAL_BLOB_SIZE is 2,560 bytes, and a character takes two.
 *
 * @see https://learn.microsoft.com/windows/win32/api/wincred/ns-wincred-credentialw
 */
const WINDOWS_ENTRY_CHARACTERS = 1_280;

const secretShape = z.object({ Username: z.string(), Secret: z.string() });

/** Creates the keychain. After a failure it is not used again: a locked keychain stays locked. */
export function createKeychain(options: KeychainOptions): Keychain {
  let failure: KeychainError | undefined;
  const run = async (request: KeychainRequest, signal: AbortSignal | undefined) => {
    if (failure !== undefined) throw failure;
    try {
      return await runOnce(request, options, signal);
    } catch (error) {
      if (error instanceof KeychainError) failure = error;
      throw error;
    }
  };
  return {
    async get(account, signal) {
      const text = await run({ kind: 'get', account }, signal);
      if (text === undefined) return undefined;
      const { success, data } = secretShape.safeParse(tryParseJson(text));
      if (success) return { username: data.Username, secret: data.Secret };
      throw new KeychainError('expected an entry that regi wrote', 'replace it with regi login');
    },
    async set(account, { username, secret }, signal) {
      const limit = options.os === 'windows' ? WINDOWS_ENTRY_CHARACTERS : undefined;
      const text = asciiJson({ Username: username, Secret: secret });
      await run({ kind: 'set', account, secret: text, limit }, signal);
    },
    async delete(account, signal) {
      await run({ kind: 'delete', account }, signal);
    },
  };
}

async function runOnce(
  request: KeychainRequest,
  { run, env, os, isTerminal, clock, note }: KeychainOptions,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (run === undefined)
    throw new KeychainError(
      'this build of regi has none',
      'use a credential helper of docker instead',
    );
  if (os !== 'darwin' && os !== 'windows' && (await sessionBus(env)) === undefined) {
    throw new KeychainError(
      'there is no D-Bus session',
      'run the command in a desktop session, or under dbus-run-session',
    );
  }
  const timeoutMs = isTerminal ? ATTENDED_TIMEOUT_MS : UNATTENDED_TIMEOUT_MS;
  const done = new AbortController();
  const noted = isTerminal ? noteWaiting(clock, note, done.signal) : undefined;
  try {
    const result = await run(request, { timeoutMs, signal });
    switch (result.kind) {
      case 'done':
        return result.secret;
      case 'timed-out':
        throw new KeychainError(
          `it did not respond within ${timeoutMs / 1000} s; it may be locked and waiting to be unlocked`,
          UNLOCK_HINT,
          'TIMEOUT',
        );
      case 'failed':
        throw failureOf(result.reason);
      default:
        return assertNever(result);
    }
  } finally {
    done.abort();
    await noted;
  }
}

async function noteWaiting(
  clock: Clock,
  note: (message: string) => void,
  done: AbortSignal,
): Promise<void> {
  try {
    await clock.sleep(PATIENCE_MS, done);
    note(
      `Waiting for the keyring: type its password into the window that it opened (up to ${ATTENDED_TIMEOUT_MS / 1000} s)`,
    );
  } catch (error) {
    if (!done.aborted) throw error;
  }
}

/** JSON in ASCII only: a text that is split must not be cut inside of a character. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const UNLOCK_HINT = 'unlock it in the desktop session, and try again';

/** The library's errors, whose words differ between platforms, and what to tell a person. */
const FAILURES: readonly (readonly [pattern: RegExp, reason: string, hint: string])[] = [
  // Node's words for a missing package, and the package's for a missing addon.
  [
    /cannot find (?:module '@napi-rs|native binding)/i,
    'its addon is not installed',
    'run npm install --global @napi-rs/keyring, or use a credential helper of docker',
  ],
  // `/tmp` is mounted without permission to run code from it.
  [
    /failed to map segment/i,
    'its addon cannot be loaded from the folder for temporary files',
    'set TMPDIR to a folder from which programs may run',
  ],
  [/prompt was dismissed|locked/i, 'it is locked, and was not unlocked', UNLOCK_HINT],
  [
    /no result found/i,
    'it has no default keyring yet',
    'create one in the settings of the desktop',
  ],
  [
    /ServiceUnknown|not provided by any|NameHasNoOwner|process \S+ exited/i,
    'no Secret Service runs in this session',
    'start one, such as gnome-keyring or KWallet',
  ],
  [
    /the secret has \d+ characters|longer than platform limit/i,
    'the password is too long for it',
    'use a credential helper of docker, or a shorter token',
  ],
];

function failureOf(text: string): KeychainError {
  const [, reason, hint] = FAILURES.find(([pattern]) => pattern.test(text)) ?? [];
  return new KeychainError(
    reason ?? `it says "${printable(text, 200)}"`,
    hint ?? 'check it in its own program',
  );
}
