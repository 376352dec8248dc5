import { join } from 'node:path';

import * as z from 'zod/mini';

import { readConfigFile, showPath } from '../../disk/config-file.ts';
import { InvalidConfigError } from '../../errors.ts';
import { changePrivateFile } from '../../disk/private-file.ts';
import { tryParseJson } from '../../json.ts';

export interface ConfigPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

const indexShape = z.object({ logins: z.record(z.string(), z.object({ username: z.string() })) });

/**
 * User names by the accounts that regi keeps in the keychain. This file is why a locked keychain costs nothing where regi stored
 * nothing, and how logins are listed without their secrets: the keychain can be asked only for one entry, and by name.
 *
 * @throws {InvalidConfigError} when the file is there and is no index.
 */
export async function readKeychainIndex(place: ConfigPlace): Promise<ReadonlyMap<string, string>> {
  const { path, shown } = indexFile(place);
  const text = await readConfigFile(path, shown);
  if (text === undefined || text.trim() === '') return new Map();
  const index = indexShape.safeParse(tryParseJson(text));
  if (!index.success) {
    throw new InvalidConfigError(
      `Cannot read "${shown}": expected {"logins":{"REGISTRY":{"username":"…"}}}`,
      {
        hint: `remove it and log in again: rm ${shown}`,
      },
    );
  }
  return new Map(
    Object.entries(index.data.logins).map(([account, { username }]) => [account, username]),
  );
}

/** Notes that the keychain has something under `account`; with no user name, that it no longer has. */
export async function noteInKeychainIndex(
  account: string,
  username: string | undefined,
  place: ConfigPlace,
): Promise<void> {
  const { path, shown } = indexFile(place);
  await changePrivateFile(path, shown, async () => {
    const before = await readKeychainIndex(place);
    const others = [...before].filter(([known]) => known !== account);
    if (before.get(account) === username) return undefined;
    const after = username === undefined ? others : [...others, [account, username] as const];
    const logins = Object.fromEntries(after.map(([known, name]) => [known, { username: name }]));
    return `${JSON.stringify({ logins }, undefined, 2)}\n`;
  });
}

function indexFile({ env, home }: ConfigPlace): { readonly path: string; readonly shown: string } {
  const path = join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'regi', 'keychain.json');
  return { path, shown: showPath(path, home) };
}
