import { readConfigFile } from '../../disk/config-file.ts';
import { hostOfKey, parseDockerConfig, parseFlatConfig } from './config.ts';
import { changePrivateFile, type ChangeOptions } from '../../disk/private-file.ts';

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

/** Where a configuration is, and its name in messages. */
export interface ConfigFile {
  readonly path: string;
  readonly shown: string;
  /** Whether it is a `.dockercfg`, which is what `auths` is elsewhere. */
  readonly isFlat?: boolean | undefined;
}

/** Writes a login in plain under `key`, as docker and podman do; other members of the entry stay. */
export async function writePlainLogin(
  file: ConfigFile,
  key: string,
  { username, password }: PlainLogin,
): Promise<void> {
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  await edit(file, (auths) => ({ ...auths, [key]: { ...withoutSecrets(auths[key]), auth } }), {});
}

/** Removes the secrets under the keys of the same host, and leaves under `key` the empty entry that says that a helper has it. */
export async function markAsKeptByHelper(file: ConfigFile, key: string): Promise<void> {
  await edit(file, (auths) => {
    const entries = Object.entries({ ...auths, [key]: withoutSecrets(auths[key]) });
    return Object.fromEntries(
      entries.filter(([written]) => written === key || hostOfKey(written) !== key),
    );
  });
}

/** Removes the entries of the same host, whatever scheme and path their keys have. */
export async function removeEntriesOfHost(file: ConfigFile, key: string): Promise<void> {
  await edit(file, (auths) => withoutHost(auths, key));
}

/** Removes one entry. */
export async function removeEntry(file: ConfigFile, key: string): Promise<void> {
  await edit(file, (auths) =>
    Object.fromEntries(Object.entries(auths).filter(([written]) => written !== key)),
  );
}

/** Does nothing to a file in which nothing changes, nor to one that is not there and would say nothing. */
async function edit(
  { path, shown, isFlat = false }: ConfigFile,
  change: (auths: Members) => Members,
  options: ChangeOptions = { keepsMode: true },
): Promise<void> {
  const changed = async (): Promise<string | undefined> => {
    const text = (await readConfigFile(path, shown)) ?? '';
    if (isFlat) parseFlatConfig(text, shown);
    else parseDockerConfig(text, shown);
    const config = text.trim() === '' ? {} : (JSON.parse(text) as Members);
    const before = isFlat ? config : ((config['auths'] ?? {}) as Members);
    const after = change(before);
    if (JSON.stringify(after) === JSON.stringify(before)) return undefined;
    // docker indents with tabs.
    const indent = /^\s*\{\s*?\n(?<indent>[ \t]+)"/.exec(text)?.groups?.['indent'] ?? '\t';
    const newline = text.endsWith('\n') ? '\n' : '';
    return `${JSON.stringify(isFlat ? after : { ...config, auths: after }, undefined, indent)}${newline}`;
  };
  await changePrivateFile(path, shown, changed, options);
}

function withoutHost(auths: Members, key: string): Members {
  return Object.fromEntries(
    Object.entries(auths).filter(([written]) => written !== key && hostOfKey(written) !== key),
  );
}

function withoutSecrets(entry: unknown): Members {
  if (typeof entry !== 'object' || entry === null) return {};
  return Object.fromEntries(Object.entries(entry).filter(([name]) => !SECRET_MEMBERS.has(name)));
}
