import { createKeychain } from '../credentials/keychain/keychain.ts';
import { runHelperVerb, type HelperResult } from '../credentials/logins/serve-helper.ts';
import type { Io } from '../io.ts';
import { LIMITS } from '../limits.ts';
import { printable } from '../redact.ts';
import { VERSION } from '../version.ts';
import { exitStatusOf } from './exit-status.ts';

const USAGE = 'Usage: docker-credential-regi get|store|erase|list|version\n';

/**
 * Runs `docker-credential-regi`, with which docker, podman and others use regi's keychain.
 *
 * @param argv the arguments after the program name.
 * @returns the exit status. Never throws.
 */
export async function credentialHelper(argv: readonly string[], io: Io): Promise<number> {
  try {
    const { status, stdout } = await respond(argv, io);
    if (stdout !== '') await io.stdout.write(stdout);
    return status;
  } catch (error) {
    // Clients show standard output to the user.
    await io.stdout
      .write(`${printable(error instanceof Error ? error.message : String(error))}\n`)
      .catch(() => undefined);
    return exitStatusOf(error);
  }
}

async function respond(argv: readonly string[], io: Io): Promise<HelperResult> {
  const [verb = '', ...rest] = argv;
  const { stdin, stdout, stderr, env, home, clock, signal } = io;
  if (verb === 'version' || verb === '--version')
    return { status: 0, stdout: `docker-credential-regi ${VERSION}\n` };
  if (verb === 'help' || verb === '--help') return { status: 0, stdout: USAGE };
  if (verb === '' || rest.length > 0) return { status: 1, stdout: USAGE };
  if (verb === 'get' && stdout.isTTY)
    return {
      status: 1,
      stdout: 'Cannot print a password on a terminal: pipe it to the program that needs it\n',
    };
  // `list` has no input, and some clients leave standard input open.
  const input = verb === 'list' ? '' : await stdin.read(LIMITS.passwordBytes);
  const note = (message: string): void => void stderr.write(`${message}\n`).catch(() => undefined);
  const keychain = createKeychain({
    run: io.runKeychain,
    env,
    os: io.host.os,
    isTerminal: stderr.isTTY,
    clock,
    note,
  });
  return runHelperVerb(verb, input, { keychain, env, home }, signal);
}
