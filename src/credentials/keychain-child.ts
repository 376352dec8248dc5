import type { KeychainRequest, KeychainResult } from './keychain-program.ts';

/** What is used of an entry of the keychain. */
export interface KeychainEntry {
  getPassword(): Promise<string | null | undefined>;
  setPassword(secret: string): Promise<void>;
  deletePassword(): Promise<unknown>;
}

/** The name under which the keychain shows what is regi's. */
const SERVICE = 'regi';

/**
 * The child's side of `createKeychainProgram()`: does what the text asks for, and gives the text to answer with. It throws nothing.
 *
 * @param open the real keychain when absent.
 */
export async function answerKeychain(text: string, open: (account: string) => Promise<KeychainEntry> = openEntry): Promise<string> {
  return JSON.stringify(await answer(JSON.parse(text) as KeychainRequest, open));
}

async function answer(request: KeychainRequest, open: (account: string) => Promise<KeychainEntry>): Promise<KeychainResult> {
  try {
    const entry = await open(request.account);
    if (request.kind === 'get') return { kind: 'done', secret: (await entry.getPassword()) ?? undefined };
    if (request.kind === 'set') await entry.setPassword(request.secret);
    else await entry.deletePassword();
    return { kind: 'done', secret: undefined };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function openEntry(account: string): Promise<KeychainEntry> {
  const { AsyncEntry } = await import('@napi-rs/keyring');
  // Without a store it would fall back to the kernel's memory, which forgets at the next start and tells nobody.
  return new AsyncEntry(SERVICE, account, { linux: { store: 'secret-service' } });
}
