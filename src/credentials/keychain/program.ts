import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { askProgram } from '../ask-program.ts';

/** One thing to do in the keychain of the system. */
export type KeychainRequest =
  | { readonly kind: 'get'; readonly account: string }
  | {
      readonly kind: 'set';
      readonly account: string;
      readonly secret: string;
      /** Characters that one entry takes; undefined where there is no limit. */
      readonly limit?: number | undefined;
    }
  | { readonly kind: 'delete'; readonly account: string };

export type KeychainResult =
  /** `secret` is what `get` found; undefined for nothing. */
  | { readonly kind: 'done'; readonly secret: string | undefined }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'timed-out' };

/** Does one thing in the keychain, within `timeoutMs`. */
export type RunKeychain = (
  request: KeychainRequest,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
) => Promise<KeychainResult>;

export interface KeychainProgramOptions {
  /** Node. */
  readonly execPath: string;
  /** The script that runs `answerKeychain()`. */
  readonly script: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The keychain through a process of its own: the library blocks its thread while an unlock prompt waits for a person, and then not
 * even the end of the process comes through.
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
    return (
      parseResult(result.stdout) ?? {
        kind: 'failed',
        reason: `its program ended with status ${result.status} and no answer`,
      }
    );
  };
}

/** The program's answer is our own code's, so only its presence is in doubt. */
function parseResult(text: string): KeychainResult | undefined {
  try {
    return JSON.parse(text) as KeychainResult;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The address of the D-Bus session, through which the Secret Service is asked; undefined where there is none. */
export async function sessionBus(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const address = env['DBUS_SESSION_BUS_ADDRESS'];
  if (address) return address;
  const runtime = env['XDG_RUNTIME_DIR'];
  if (!runtime) return undefined;
  const socket = join(runtime, 'bus');
  const isThere = await stat(socket).then(
    (found) => found.isSocket(),
    () => false,
  );
  return isThere ? `unix:path=${socket}` : undefined;
}
