import {
  readSecret,
  removeSecret,
  writeSecret,
  type KeychainEntry,
  type OpenEntry,
} from './parts.ts';
import type { KeychainRequest, KeychainResult } from './program.ts';

/** The name under which the keychain shows what is regi's. */
const SERVICE = 'regi';

/**
 * The child's side of `createKeychainProgram()`: does what the text asks for, and gives the text to answer with. It throws nothing.
 *
 * @param open the real keychain when absent.
 */
export async function answerKeychain(text: string, open: OpenEntry = openEntry): Promise<string> {
  return JSON.stringify(await answer(JSON.parse(text) as KeychainRequest, open));
}

async function answer(request: KeychainRequest, open: OpenEntry): Promise<KeychainResult> {
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
  // Without a store it would fall back to the kernel's memory, which forgets at the next start and tells nobody.
  return new AsyncEntry(SERVICE, account, { linux: { store: 'secret-service' } });
}
