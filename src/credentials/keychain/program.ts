import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { tryParseJson } from '../../json.ts';
import { askProgram } from '../ask-program.ts';

/** One operation on the keychain of the system. */
export type KeychainRequest =
  | { readonly kind: 'get'; readonly account: string }
  | {
      readonly kind: 'set';
      readonly account: string;
      readonly secret: string;
      /** Characters of one entry; undefined if there is no limit. */
      readonly limit?: number | undefined;
    }
  | { readonly kind: 'delete'; readonly account: string };

export type KeychainResult =
  /** `secret` is the result of `get`; undefined for none. */
  | { readonly kind: 'done'; readonly secret: string | undefined }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'timed-out' };

/** Executes one operation on the keychain, within `timeoutMs`. */
export type RunKeychain = (
  request: KeychainRequest,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
) => Promise<KeychainResult>;

export interface KeychainProgramOptions {
  /** The path of Node. */
  readonly execPath: string;
  /** The script that runs `handleKeychainRequest()`. */
  readonly script: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs each operation in a process of its own. The library blocks its thread while an unlock prompt
 * is open, so a process that uses it cannot even end.
 */
export function createKeychainProgram({
  execPath,
  script,
  env,
}: KeychainProgramOptions): RunKeychain {
  return async (request, { timeoutMs, signal }) => {
    const bus = await sessionBus(env);
    const result = await askProgram(execPath, [script], {
      input: JSON.stringify(request),
      env: bus === undefined ? env : { ...env, DBUS_SESSION_BUS_ADDRESS: bus },
      timeoutMs,
      signal,
    });
    if (result.kind === 'timed-out') return result;
    if (result.kind !== 'exited') return { kind: 'failed', reason: 'its program cannot be used' };
    // The output is written by our own code, so only its presence is in doubt.
    const found = tryParseJson(result.stdout) as KeychainResult | undefined;
    const reason = `its program ended with status ${result.status} and no output`;
    return found ?? { kind: 'failed', reason };
  };
}

/**
 * The address of the D-Bus session, which leads to the Secret Service; undefined if there is none.
 */
export async function sessionBus(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const address = env['DBUS_SESSION_BUS_ADDRESS'];
  if (address) return address;
  const runtime = env['XDG_RUNTIME_DIR'];
  if (!runtime) return undefined;
  const socket = join(runtime, 'bus');
  const exists = await stat(socket).then(
    (found) => found.isSocket(),
    () => false,
  );
  return exists ? `unix:path=${socket}` : undefined;
}
