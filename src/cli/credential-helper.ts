import { createKeychain } from '../credentials/keychain/keychain.ts';
import { answerAsHelper, type HelperAnswer } from '../credentials/logins/serve-helper.ts';
import type { Io } from '../io.ts';
import { LIMITS } from '../limits.ts';
import { printable } from '../redact.ts';
import { VERSION } from '../version.ts';
import { exitStatusOf } from './exit-status.ts';

const USAGE = 'Usage: docker-credential-regi get|store|erase|list|version\n';

/**
 * The whole of `docker-credential-regi`: docker, podman and others use regi's keychain by it.
 *
 * @param argv the words behind the program's name.
 * @returns the exit status. It throws nothing.
 */
export async function credentialHelper(argv: readonly string[], io: Io): Promise<number> {
  try {
    const { status, stdout } = await answer(argv, io);
    if (stdout !== '') await io.stdout.write(stdout);
    return status;
  } catch (error) {
    // Clients show what stands on standard output.
    await io.stdout
      .write(`${printable(error instanceof Error ? error.message : String(error))}\n`)
      .catch(() => undefined);
    return exitStatusOf(error);
  }
}

async function answer(argv: readonly string[], io: Io): Promise<HelperAnswer> {
  const [verb = '', ...rest] = argv;
  const { stdin, stdout, stderr, env, home, clock, signal } = io;
  if (verb === 'version' || verb === '--version')
    return { status: 0, stdout: `docker-credential-regi ${VERSION}\n` };
  if (verb === 'help' || verb === '--help') return { status: 0, stdout: USAGE };
  if (verb === '' || rest.length > 0) return { status: 1, stdout: USAGE };
  if (verb === 'get' && stdout.isTTY)
    return {
      status: 1,
      stdout: 'Cannot print a password on a terminal: pipe it into the program that needs it\n',
    };
  // Nothing is asked for with `list`, and not every client closes what it does not use.
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
  return answerAsHelper(verb, input, { keychain, env, home }, signal);
}
