import { failureText, speaksJson } from './cli/create-context.ts';
import { exitStatusOf } from './cli/exit-status.ts';
import { findCommand } from './cli/parse/find-command.ts';
import { commandHelp, overviewHelp } from './cli/help/help-text.ts';
import { writeStdout } from './cli/output/output.ts';
import { HELP_WANTED, parseArguments } from './cli/parse/parse-arguments.ts';
import { runCommand } from './cli/run-command.ts';
import { parseSettings, wantsColor } from './cli/parse/settings.ts';
import { StatusArea } from './cli/output/status-area.ts';
import type { CommandSpec } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import type { Io } from './io.ts';

export { openIo } from './cli/open-io.ts';

/**
 * Parses a command line, runs the command and prints its output.
 *
 * @param argv the arguments after the program name.
 * @returns the exit status. Never throws.
 */
export async function main(
  argv: readonly string[],
  io: Io,
  commands: readonly CommandSpec[] = COMMANDS,
): Promise<number> {
  const area = new StatusArea(io.stderr);
  // Errors in the flags themselves are reported in this form.
  let reporting = { json: wantsJson(argv), verbosity: 0 as 0 | 1 | 2 };
  try {
    if (argv[0] === COMPLETE) return await printCandidates(argv.slice(1), io, commands);
    const request = findCommand(argv, commands);
    if (request.kind === 'overview')
      return await printHelp(overviewHelp(commands, request.prefix, io.stdout.columns()), io);
    if (request.kind === 'help')
      return await printHelp(commandHelp(request.spec, io.stdout.columns()), io);
    const args = parseArguments(request.spec, request.words, request.typed);
    if (args === HELP_WANTED)
      return await printHelp(commandHelp(request.spec, io.stdout.columns()), io);
    const settings = parseSettings(args.options, io);
    reporting = { json: speaksJson(settings), verbosity: settings.verbosity };
    await runCommand(
      { spec: request.spec, args, settings, color: wantsColor(args.options, io) },
      io,
      area,
    );
    return 0;
  } catch (error) {
    area.print(failureText(error, reporting));
    await area.flush();
    return exitStatusOf(error);
  }
}

/** Runs `docker-credential-regi`, which is the same program under another name. */
export async function helperMain(argv: readonly string[], io: Io): Promise<number> {
  const { credentialHelper } = await import('./cli/credential-helper.ts');
  return credentialHelper(argv, io);
}

/** The hidden command that the scripts of `regi completion` run. */
const COMPLETE = '__complete';

async function printCandidates(
  words: readonly string[],
  io: Io,
  commands: readonly CommandSpec[],
): Promise<number> {
  const { candidateLines, complete } = await import('./cli/complete.ts');
  await writeStdout(io.stdout, candidateLines(await complete(words, io, commands)));
  return 0;
}

async function printHelp(text: string, io: Io): Promise<number> {
  await writeStdout(io.stdout, text);
  return 0;
}

function wantsJson(argv: readonly string[]): boolean {
  const dashes = argv.indexOf('--');
  const words = dashes < 0 ? argv : argv.slice(0, dashes);
  return (
    words.includes('--json') ||
    words.includes('--progress=json') ||
    words.some((word, at) => word === '--progress' && words[at + 1] === 'json')
  );
}
