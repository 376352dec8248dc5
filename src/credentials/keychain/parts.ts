import { randomUUID } from 'node:crypto';

import { tryParseJson } from '../../json.ts';

/** What is used of an entry of the keychain. */
export interface KeychainEntry {
  getPassword(): Promise<string | null | undefined>;
  setPassword(secret: string): Promise<void>;
  deletePassword(): Promise<unknown>;
}

/** Opens the entry of an account, whether it has something or not. */
export type OpenEntry = (account: string) => Promise<KeychainEntry>;

/** What stands under the account itself of a secret in parts: the parts are under names made of both. */
interface PartsHead {
  readonly parts: number;
  readonly id: string;
}

/** Tokens of clouds have some 20 KB; a keychain is no place for more. */
const MAX_PARTS = 24;

/** A secret that is too long for the keychain, in parts too. */
export class SecretTooLongError extends Error {
  constructor(length: number, limit: number) {
    super(`the secret has ${length} characters, and it takes at most ${limit * MAX_PARTS}`);
  }
}

/** The secret of an account, of which parts are put together; undefined for none, and where a part is missing. */
export async function readSecret(account: string, open: OpenEntry): Promise<string | undefined> {
  const text = (await (await open(account)).getPassword()) ?? undefined;
  const head = headOf(text);
  if (head === undefined) return text;
  const parts = await Promise.all(
    namesOf(account, head).map(async (name) => (await open(name)).getPassword()),
  );
  return parts.every((part) => typeof part === 'string') ? parts.join('') : undefined;
}

/**
 * Keeps a secret, in parts of at most `limit` characters where it is longer. The account itself is written last: until then it has what it had.
 *
 * @param limit characters of an entry; undefined where the keychain has no limit.
 * @throws {SecretTooLongError}
 */
export async function writeSecret(
  account: string,
  secret: string,
  limit: number | undefined,
  open: OpenEntry,
): Promise<void> {
  const entry = await open(account);
  // Where there is no limit there are no parts, and a locked keychain is asked once.
  const old = limit === undefined ? undefined : headOf((await entry.getPassword()) ?? undefined);
  if (limit === undefined || secret.length <= limit) await entry.setPassword(secret);
  else {
    const head: PartsHead = { parts: Math.ceil(secret.length / limit), id: randomUUID() };
    if (head.parts > MAX_PARTS) throw new SecretTooLongError(secret.length, limit);
    for (const [index, name] of namesOf(account, head).entries()) {
      await (await open(name)).setPassword(secret.slice(index * limit, (index + 1) * limit));
    }
    await entry.setPassword(JSON.stringify(head));
  }
  await removeParts(account, old, open);
}

/** Removes an account's secret, parts and all. */
export async function removeSecret(account: string, open: OpenEntry): Promise<void> {
  const entry = await open(account);
  const head = headOf((await entry.getPassword()) ?? undefined);
  await entry.deletePassword();
  await removeParts(account, head, open);
}

async function removeParts(
  account: string,
  head: PartsHead | undefined,
  open: OpenEntry,
): Promise<void> {
  for (const name of head === undefined ? [] : namesOf(account, head))
    await (await open(name)).deletePassword();
}

function namesOf(account: string, { parts, id }: PartsHead): readonly string[] {
  return Array.from({ length: parts }, (_, index) => `${account} ${id} part ${index + 1}`);
}

function headOf(text: string | undefined): PartsHead | undefined {
  const value = tryParseJson(text ?? '');
  if (typeof value !== 'object' || value === null || !('parts' in value) || !('id' in value))
    return undefined;
  const { parts, id } = value;
  const isHead =
    Number.isSafeInteger(parts) &&
    Number(parts) > 0 &&
    Number(parts) <= MAX_PARTS &&
    typeof id === 'string';
  return isHead ? { parts: Number(parts), id } : undefined;
}
