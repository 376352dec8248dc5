import { failureText, speaksJson } from './cli/create-context.ts';
import { exitStatusOf } from './cli/exit-status.ts';
import { findCommand } from './cli/parse/find-command.ts';
import { commandHelp, overviewHelp, styledHelp } from './cli/help/help-text.ts';
import { writeStdout } from './cli/output/output.ts';
import { createPaint, type Paint } from './cli/output/paint.ts';
import { HELP_WANTED, parseArguments } from './cli/parse/parse-arguments.ts';
import { runCommand } from './cli/run-command.ts';
import { parseSettings, wantsColor } from './cli/parse/settings.ts';
import { StatusArea } from './cli/output/status-area.ts';
import type { CommandSpec } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import type { Io, TextOutput } from './io.ts';

export { openIo } from './cli/open-io.ts';
export { versionDetails } from './cli/version-details.ts';

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
  const { env, stdout, stderr } = io;
  const given = colorFlag(argv);
  const area = new StatusArea(stderr, createPaint(wantsColor(given, env, stderr)));
  const paint = createPaint(wantsColor(given, env, stdout));
  // Errors in the flags themselves are reported in this form.
  let reporting = { json: wantsJson(argv), verbosity: 0 as 0 | 1 | 2 };
  try {
    if (argv[0] === COMPLETE) return await printCandidates(argv.slice(1), io, commands);
    const request = findCommand(argv, commands);
    if (request.kind === 'overview')
      return await printHelp(
        overviewHelp(commands, request.prefix, stdout.columns()),
        stdout,
        paint,
      );
    if (request.kind === 'help')
      return await printHelp(commandHelp(request.spec, stdout.columns()), stdout, paint);
    const args = parseArguments(request.spec, request.words, request.typed);
    if (args === HELP_WANTED)
      return await printHelp(commandHelp(request.spec, stdout.columns()), stdout, paint);
    const settings = parseSettings(args.options, io);
    reporting = { json: speaksJson(settings), verbosity: settings.verbosity };
    await runCommand({ spec: request.spec, args, settings, paint }, io, area);
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

async function printHelp(text: string, output: TextOutput, paint: Paint): Promise<number> {
  await writeStdout(output, await paint(styledHelp(text)));
  return 0;
}

/** Finds `--color` before the flags are parsed: errors in flags have colours too. */
function colorFlag(argv: readonly string[]): string | undefined {
  const words = beforeDashes(argv);
  const at = words.findLastIndex((word) => /^--color(?:=|$)/.test(word));
  const [, value] = /^--color=(.*)$/.exec(words[at] ?? '') ?? [];
  return at < 0 ? undefined : (value ?? words[at + 1]);
}

function wantsJson(argv: readonly string[]): boolean {
  const words = beforeDashes(argv);
  return (
    words.includes('--json') ||
    words.includes('--progress=json') ||
    words.some((word, at) => word === '--progress' && words[at + 1] === 'json')
  );
}

function beforeDashes(argv: readonly string[]): readonly string[] {
  const dashes = argv.indexOf('--');
  return dashes < 0 ? argv : argv.slice(0, dashes);
}
