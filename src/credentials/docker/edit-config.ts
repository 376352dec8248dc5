import { writtenName } from '../../json.ts';
import { readConfigFile } from '../../disk/config-file.ts';
import { changePrivateFile, type ChangeOptions } from '../../disk/private-file.ts';
import { type ConfigFile, hostOfKey, parseDockerConfig } from './config.ts';

/** A configuration with its unknown members, in the order of the file. */
type Members = Readonly<Record<string, unknown>>;

export interface PlainLogin {
  readonly username: string;
  readonly password: string;
}

const SECRET_MEMBERS: ReadonlySet<string> = new Set([
  'auth',
  'username',
  'password',
  'identitytoken',
  'registrytoken',
]);

/**
 * Writes a login in plain text under `key`, as docker and podman do. Other members of the entry
 * stay.
 */
export async function writePlainLogin(
  file: ConfigFile,
  key: string,
  { username, password }: PlainLogin,
): Promise<void> {
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  await edit(file, (auths) => ({ ...auths, [key]: { ...withoutSecrets(auths[key]), auth } }), {});
}

/**
 * Removes the secrets under the keys of the same host. Leaves an empty entry under `key`, which
 * marks that a helper has the login.
 */
export async function markAsKeptByHelper(file: ConfigFile, key: string): Promise<void> {
  await edit(file, (auths) =>
    keep(
      { ...auths, [key]: withoutSecrets(auths[key]) },
      (written) => written === key || hostOfKey(written) !== key,
    ),
  );
}

/** Removes the entries of the same host, whatever scheme and path their keys have. */
export async function removeEntriesOfHost(file: ConfigFile, key: string): Promise<void> {
  await edit(file, (auths) =>
    keep(auths, (written) => written !== key && hostOfKey(written) !== key),
  );
}

/** Removes one entry. */
export async function removeEntry(file: ConfigFile, key: string): Promise<void> {
  await edit(file, (auths) => keep(auths, (written) => written !== key));
}

/** Writes nothing if the entries do not change. */
async function edit(
  { path, shown, isFlat = false }: ConfigFile,
  change: (auths: Members) => Members,
  options: ChangeOptions = { keepsMode: true },
): Promise<void> {
  const changed = async (): Promise<string | undefined> => {
    const text = (await readConfigFile(path, shown)) ?? '';
    parseDockerConfig(text, shown, isFlat);
    const config = text.trim() === '' ? {} : (JSON.parse(text) as Members);
    const name = writtenName(config, 'auths');
    const before = isFlat ? config : ((config[name] ?? {}) as Members);
    const after = change(before);
    if (JSON.stringify(after) === JSON.stringify(before)) return undefined;
    // docker indents with tabs.
    const indent = /^\s*\{\s*?\n(?<indent>[ \t]+)"/.exec(text)?.groups?.['indent'] ?? '\t';
    const newline = text.endsWith('\n') ? '\n' : '';
    return `${JSON.stringify(isFlat ? after : { ...config, [name]: after }, undefined, indent)}${newline}`;
  };
  await changePrivateFile(path, shown, changed, options);
}

function keep(entries: Members, isKept: (key: string) => boolean): Members {
  return Object.fromEntries(Object.entries(entries).filter(([key]) => isKept(key)));
}

function withoutSecrets(entry: unknown): Members {
  if (typeof entry !== 'object' || entry === null) return {};
  return keep(entry as Members, (name) => !SECRET_MEMBERS.has(name.toLowerCase()));
}
