import { randomUUID } from 'node:crypto';

import { tryParseJson } from '../../json.ts';
import type { KeychainRequest, KeychainResult } from './program.ts';

/** The methods used of an entry in the keychain. */
export interface KeychainEntry {
  getPassword(): Promise<string | null | undefined>;
  setPassword(secret: string): Promise<void>;
  deletePassword(): Promise<unknown>;
}

/** Opens the entry of an account, whether it has a secret or not. */
export type OpenEntry = (account: string) => Promise<KeychainEntry>;

/** The content of an account whose secret is split. The names of the parts are made from both. */
interface PartsHead {
  readonly parts: number;
  readonly id: string;
}

/** The name under which the keychain shows regi's entries. */
const SERVICE = 'regi';

/** Cloud tokens have up to 20 KB; a keychain is no place for more. */
const MAX_PARTS = 24;

/**
 * The child's side of `createKeychainProgram()`: executes a request, and returns the text of its
 * result. Never throws.
 *
 * @param open the real keychain when absent.
 */
export async function handleKeychainRequest(
  text: string,
  open: OpenEntry = openEntry,
): Promise<string> {
  return JSON.stringify(await handle(JSON.parse(text) as KeychainRequest, open));
}

async function handle(request: KeychainRequest, open: OpenEntry): Promise<KeychainResult> {
  try {
    const { kind, account } = request;
    if (kind === 'get') return { kind: 'done', secret: await readSecret(account, open) };
    if (kind === 'set') await writeSecret(account, request.secret, request.limit, open);
    else await removeSecret(account, open);
    return { kind: 'done', secret: undefined };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function openEntry(account: string): Promise<KeychainEntry> {
  const { AsyncEntry } = await import('@napi-rs/keyring');
  // Without `store`, the library would silently use the kernel's memory, which a restart clears.
  return new AsyncEntry(SERVICE, account, { linux: { store: 'secret-service' } });
}

/**
 * Reads the secret of an account, and joins its parts; undefined for none, or if a part is missing.
 */
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
 * Stores a secret, in parts of at most `limit` characters if it is longer. The entry of the account
 * itself is written last: until then it keeps its old content.
 *
 * @param limit characters of an entry; undefined if the keychain has no limit.
 * @throws {Error} when even the parts cannot hold it.
 */
export async function writeSecret(
  account: string,
  secret: string,
  limit: number | undefined,
  open: OpenEntry,
): Promise<void> {
  const entry = await open(account);
  // Without a limit there are no parts. A locked keychain is then accessed only once.
  const old = limit === undefined ? undefined : headOf(await entry.getPassword());
  if (limit === undefined || secret.length <= limit) await entry.setPassword(secret);
  else {
    const head: PartsHead = { parts: Math.ceil(secret.length / limit), id: randomUUID() };
    if (head.parts > MAX_PARTS) {
      throw new Error(
        `the secret has ${secret.length} characters, and it takes at most ${limit * MAX_PARTS}`,
      );
    }
    for (const [index, name] of namesOf(account, head).entries()) {
      await (await open(name)).setPassword(secret.slice(index * limit, (index + 1) * limit));
    }
    await entry.setPassword(JSON.stringify(head));
  }
  await removeParts(account, old, open);
}

/** Removes the secret of an account with all its parts. */
export async function removeSecret(account: string, open: OpenEntry): Promise<void> {
  const entry = await open(account);
  const head = headOf(await entry.getPassword());
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

function headOf(text: string | null | undefined): PartsHead | undefined {
  const value = tryParseJson(text ?? '');
  if (typeof value !== 'object' || value === null || !('parts' in value) || !('id' in value))
    return undefined;
  const { parts, id } = value;
  return Number.isSafeInteger(parts) &&
    Number(parts) > 0 &&
    Number(parts) <= MAX_PARTS &&
    typeof id === 'string'
    ? { parts: Number(parts), id }
    : undefined;
}
