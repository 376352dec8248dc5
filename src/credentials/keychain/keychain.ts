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
  return new ProgramKeychain(options);
}

class ProgramKeychain implements Keychain {
  readonly #options: KeychainOptions;
  #failure: KeychainError | undefined;

  constructor(options: KeychainOptions) {
    this.#options = options;
  }

  async get(account: string, signal?: AbortSignal): Promise<StoredSecret | undefined> {
    const secret = await this.#run({ kind: 'get', account }, signal);
    if (secret === undefined) return undefined;
    const { success, data } = secretShape.safeParse(tryParseJson(secret));
    if (!success)
      throw new KeychainError('expected an entry that regi wrote', 'replace it with regi login');
    return { username: data.Username, secret: data.Secret };
  }

  async set(
    account: string,
    { username, secret }: StoredSecret,
    signal?: AbortSignal,
  ): Promise<void> {
    const limit = this.#options.os === 'windows' ? WINDOWS_ENTRY_CHARACTERS : undefined;
    await this.#run(
      { kind: 'set', account, secret: asciiJson({ Username: username, Secret: secret }), limit },
      signal,
    );
  }

  async delete(account: string, signal?: AbortSignal): Promise<void> {
    await this.#run({ kind: 'delete', account }, signal);
  }

  async #run(
    request: KeychainRequest,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await this.#ask(request, signal);
    } catch (error) {
      if (error instanceof KeychainError) this.#failure = error;
      throw error;
    }
  }

  async #ask(
    request: KeychainRequest,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { run, env, os, isTerminal } = this.#options;
    const isSecretService = os !== 'darwin' && os !== 'windows';
    if (run === undefined)
      throw new KeychainError(
        'this build of regi has none',
        'use a credential helper of docker instead',
      );
    if (isSecretService && (await sessionBus(env)) === undefined) {
      throw new KeychainError(
        'there is no D-Bus session',
        'run the command in a desktop session, or under dbus-run-session',
      );
    }
    const timeoutMs = isTerminal ? ATTENDED_TIMEOUT_MS : UNATTENDED_TIMEOUT_MS;
    const done = new AbortController();
    const note = this.#noteWaiting(done.signal);
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
      await note;
    }
  }

  async #noteWaiting(done: AbortSignal): Promise<void> {
    const { isTerminal, clock, note } = this.#options;
    if (!isTerminal) return;
    try {
      await clock.sleep(PATIENCE_MS, done);
      note(
        `Waiting for the keyring: type its password into the window that it opened (up to ${ATTENDED_TIMEOUT_MS / 1000} s)`,
      );
    } catch (error) {
      if (!done.aborted) throw error;
    }
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

/** Translates the library's errors: their words differ between platforms, and mean little to people. */
function failureOf(reason: string): KeychainError {
  if (/prompt was dismissed|locked/i.test(reason))
    return new KeychainError('it is locked, and was not unlocked', UNLOCK_HINT);
  if (/no result found/i.test(reason))
    return new KeychainError(
      'it has no default keyring yet',
      'create one in the settings of the desktop',
    );
  if (/ServiceUnknown|not provided by any|NameHasNoOwner|process \S+ exited/i.test(reason))
    return new KeychainError(
      'no Secret Service runs in this session',
      'start one, such as gnome-keyring or KWallet',
    );
  if (/the secret has \d+ characters|longer than platform limit/i.test(reason))
    return new KeychainError(
      'the password is too long for it',
      'use a credential helper of docker, or a shorter token',
    );
  return new KeychainError(`it says "${printable(reason, 200)}"`, 'check it in its own program');
}
