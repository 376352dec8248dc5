import { NotAuthorisedError } from '../../auth/not-authorised.ts';
import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { PlainLogin } from '../../credentials/docker/edit-config.ts';
import { loginBefore } from '../../credentials/logins/list.ts';
import { storeLogin, type StoredLogin } from '../../credentials/logins/store.ts';
import { assertNever, RegiError, UsageError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { quote } from '../../quote.ts';
import { ping } from '../../registry/remote-repository.ts';
import { credentialPlaces, parseRegistryName } from '../../targets/credentials.ts';
import { createRegistries } from '../../targets/registries.ts';
import { flag, value } from '../arguments/arguments.ts';

export interface LoginRow {
  readonly registry: string;
  readonly username: string;
  /** False when the registry asked for no login, so that it could not be checked. */
  readonly checked: boolean;
  readonly storedIn: StoredLogin['kind'];
  /** `~/.docker/config.json`, `docker-credential-pass`, `the keychain`. */
  readonly place: string;
}

/** `regi login`: checks a login and stores it. */
export const loginCommand: CommandBody<LoginRow> = {
  run: runLogin,
  // Docker's wording, which scripts look for.
  text: () => 'Login Succeeded\n',
};

async function* runLogin(args: ParsedArguments, context: Context): AsyncIterable<LoginRow> {
  const { settings, signal } = context;
  const registry = parseRegistryName(args.positionals[0]);
  const keychainOnly = flag(args, 'keychain-only');
  if (keychainOnly && settings.authfile !== undefined)
    throw new UsageError(
      'Cannot use --keychain-only with --authfile: each names a place to store the login',
    );
  const places = credentialPlaces(context);
  // A broken environment is reported before a person types a password.
  const before = await loginBefore(registry, places);
  const login = await readLogin(args, registry, context);
  const checked = await context.wait(`Logging in to ${registry}`, () =>
    check(registry, login, context),
  );
  const stored = await storeLogin(registry, login, { ...places, keychainOnly }, signal);
  noteStored(stored, registry, login, checked, context);
  if (before !== undefined && before.origin !== stored.origin)
    context.warn(
      `The login in ${before.origin} takes precedence: it is used for "${registry}" while it exists`,
    );
  yield {
    registry,
    username: login.username,
    checked,
    storedIn: stored.kind,
    place: stored.origin,
  };
}

async function readLogin(
  args: ParsedArguments,
  registry: string,
  context: Context,
): Promise<PlainLogin> {
  const { stdin } = context.io;
  const fromInput = flag(args, 'password-stdin');
  const given = value(args, 'username');
  const example = `echo "$TOKEN" | regi login -u ${given ?? 'USER'} --password-stdin ${registry}`;
  if (fromInput && given === undefined)
    throw new UsageError('Cannot log in without a user name', { hint: `type: ${example}` });
  if (!fromInput && !stdin.isTTY)
    throw new UsageError('Cannot ask for a password: standard input is no terminal', {
      hint: `type: ${example}`,
    });
  const username = given ?? (await ask('User name', registry, false, context));
  checkUsername(username);
  const password = fromInput
    ? (await stdin.read(LIMITS.passwordBytes)).replace(/\r?\n$/, '')
    : await ask('Password', registry, true, context);
  if (password === '')
    throw new UsageError('Cannot log in with an empty password', {
      hint: fromInput ? 'nothing came from standard input' : undefined,
    });
  // A header cannot hold these characters, and readers of stored logins split at them.
  if (/[\0\r\n]/.test(password))
    throw new UsageError('Cannot log in with a password of several lines', {
      hint: 'give one line on standard input',
    });
  return { username, password };
}

function checkUsername(username: string): void {
  if (username === '') throw new UsageError('Cannot log in with an empty user name');
  if (/[:\p{Cc}]/u.test(username))
    throw new UsageError(
      'Cannot log in with that user name: expected no ":" and no control characters',
      {
        hint: 'give the user name alone; enter the password at the prompt, or pipe it to --password-stdin',
      },
    );
}

async function ask(
  what: string,
  registry: string,
  hidden: boolean,
  { io, signal }: Context,
): Promise<string> {
  const line = await io.stdin.ask(`${what} for ${registry}: `, { hidden, signal });
  if (line === undefined)
    throw new UsageError(
      `Cannot log in: expected the ${what.toLowerCase()}, found the end of the input`,
    );
  return hidden ? line : line.trim();
}

/** Sends the login to the registry. Returns false when the registry asked for none. */
async function check(
  registry: string,
  { username, password }: PlainLogin,
  context: Context,
): Promise<boolean> {
  const registries = await createRegistries(context);
  let isAsked = false;
  try {
    const connection = registries.connectAs(registry, async () => {
      isAsked = true;
      return { credential: { kind: 'password', username, password }, origin: 'this login' };
    });
    await ping(connection, { signal: context.signal, canRetryAnonymously: false });
    return isAsked;
  } catch (error) {
    if (!(error instanceof NotAuthorisedError)) throw error;
    throw new RegiError(
      'NOT_AUTHORISED',
      `Cannot log in to "${registry}" as ${quote(username)}: the registry refused it (status ${error.status}); nothing is stored`,
      {
        hint: 'check user name and password; many registries want an access token instead of the password of the account',
        cause: error,
      },
    );
  } finally {
    await registries.close();
  }
}

function noteStored(
  stored: StoredLogin,
  registry: string,
  { username }: PlainLogin,
  checked: boolean,
  { warn, note }: Context,
): void {
  if (!checked) warn(`"${registry}" requires no login, so this one is stored unchecked`);
  if (stored.removedFrom !== undefined)
    note(
      `Removed the entry for ${registry} from ${stored.removedFrom}, which would have taken precedence`,
    );
  switch (stored.kind) {
    case 'keychain':
    case 'helper':
      note(`Stored the login of ${username} in ${stored.origin}`);
      return;
    case 'file': {
      const { fallback, origin } = stored;
      const why =
        fallback === undefined ? '' : ` because the keychain cannot be used: ${fallback.reason}`;
      note(`Stored the login of ${username} in ${origin} (not encrypted, mode 0600)${why}`);
      return;
    }
    default:
      assertNever(stored.kind);
  }
}
