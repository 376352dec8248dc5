import * as z from 'zod/mini';

import type { Clock } from '../../clock.ts';
import { assertNever, RegiError, type ErrorCode } from '../../errors.ts';
import { printable } from '../../redact.ts';
import type { HelperLogin } from '../docker/helper.ts';
import { type KeychainRequest, type RunKeychain, sessionBus } from './program.ts';
import { tryParseJson } from '../../json.ts';

/** The keychain of the system: Secret Service, macOS Keychain, Windows Credential Manager. */
export interface Keychain {
  /**
   * What it keeps under `account`; undefined for nothing.
   *
   * @throws {KeychainError} when it cannot be used here and now.
   */
  get(account: string, signal?: AbortSignal): Promise<HelperLogin | undefined>;
  /** @throws {KeychainError} when it cannot be used here and now. */
  set(account: string, login: HelperLogin, signal?: AbortSignal): Promise<void>;
  /**
   * Nothing there is fine too.
   *
   * @throws {KeychainError} when it cannot be used here and now.
   */
  delete(account: string, signal?: AbortSignal): Promise<void>;
}

/** A keychain that is not there, is locked, or does not answer. */
export class KeychainError extends RegiError {
  /** What is wrong with it: `it is locked and was not unlocked`. */
  readonly reason: string;

  constructor(reason: string, hint: string, code: ErrorCode = 'FAILED') {
    super(code, `Cannot use the keychain: ${reason}`, { hint });
    this.reason = reason;
  }
}

export interface KeychainOptions {
  /** Undefined where the keychain has no program. */
  readonly run: RunKeychain | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As in platforms: `linux`, `darwin`, `windows`. */
  readonly os: string;
  /** Whether somebody is there to type into an unlock prompt. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  /** Takes the line that says what is waited for. */
  readonly note: (message: string) => void;
}

/** With nobody to answer a prompt, the whole command has its answer within five seconds. Milliseconds. */
const UNATTENDED_TIMEOUT_MS = 3_500;
/** Long enough to find the window and type a passphrase. Milliseconds. */
const ATTENDED_TIMEOUT_MS = 60_000;
/** An unlocked keychain answers long before. Milliseconds. */
const PATIENCE_MS = 1_000;

/**
 * CRED_MAX_CREDENTIAL_BLOB_SIZE is 2,560 bytes, and a character has two there.
 *
 * @see https://learn.microsoft.com/windows/win32/api/wincred/ns-wincred-credentialw
 */
const WINDOWS_ENTRY_CHARACTERS = 1_280;

const secretShape = z.object({ Username: z.string(), Secret: z.string() });

/** Makes the keychain. It is not asked again after it failed once: what is locked now is locked a second later too. */
export function createKeychain(options: KeychainOptions): Keychain {
  return new ProgramKeychain(options);
}

class ProgramKeychain implements Keychain {
  readonly #options: KeychainOptions;
  #failure: KeychainError | undefined;

  constructor(options: KeychainOptions) {
    this.#options = options;
  }

  async get(account: string, signal?: AbortSignal): Promise<HelperLogin | undefined> {
    const secret = await this.#run({ kind: 'get', account }, signal);
    if (secret === undefined) return undefined;
    const { success, data } = secretShape.safeParse(tryParseJson(secret));
    if (!success)
      throw new KeychainError('expected an entry that regi wrote', 'write it anew with regi login');
    return { username: data.Username, secret: data.Secret };
  }

  async set(
    account: string,
    { username, secret }: HelperLogin,
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
        'type it in a desktop session, or under dbus-run-session',
      );
    }
    const timeoutMs = isTerminal ? ATTENDED_TIMEOUT_MS : UNATTENDED_TIMEOUT_MS;
    const answered = new AbortController();
    const patience = this.#sayWhatIsWaitedFor(answered.signal);
    try {
      const result = await run(request, { timeoutMs, signal });
      switch (result.kind) {
        case 'done':
          return result.secret;
        case 'timed-out':
          throw new KeychainError(
            `it gave no answer within ${timeoutMs / 1000} s; it may be locked, and wait for somebody to unlock it`,
            UNLOCK_HINT,
            'TIMEOUT',
          );
        case 'failed':
          throw failureOf(result.reason);
        default:
          return assertNever(result);
      }
    } finally {
      answered.abort();
      await patience;
    }
  }

  async #sayWhatIsWaitedFor(answered: AbortSignal): Promise<void> {
    const { isTerminal, clock, note } = this.#options;
    if (!isTerminal) return;
    try {
      await clock.sleep(PATIENCE_MS, answered);
      note(
        `Waiting for the keyring: type its password into the window that it opened (up to ${ATTENDED_TIMEOUT_MS / 1000} s)`,
      );
    } catch (error) {
      if (!answered.aborted) throw error;
    }
  }
}

/** Other characters escaped: a text of parts must not be cut within one. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const UNLOCK_HINT = 'unlock it in the desktop session, and try again';

/** The library's words for the same thing differ, and say little to people. */
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
      'the password is longer than it takes',
      'use a credential helper of docker, or a token that is shorter',
    );
  return new KeychainError(
    `it says "${printable(reason, 200)}"`,
    'open it in its own program and look there',
  );
}
