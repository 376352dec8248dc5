import type { CommandBody, CommandSpec, ParsedArguments } from '../../../src/command.ts';
import type { Context } from '../../../src/context.ts';

/** A command for tests of the command line itself: it yields the rows of `run`. */
export function fakeCommand(
  run: (args: ParsedArguments, context: Context) => AsyncIterable<unknown>,
  spec: Partial<CommandSpec> = {},
): CommandSpec {
  const body: CommandBody<unknown> = {
    run,
    text: (row) =>
      row instanceof Uint8Array || typeof row === 'string' ? row : JSON.stringify(row),
  };
  return {
    name: 'probe',
    group: 'Other',
    summary: 'Probe something',
    description: 'Probes something and prints the result.',
    arguments: [{ name: 'THING', summary: 'what to probe', optional: true, variadic: true }],
    options: [
      { name: 'platform', short: 'p', value: 'P', repeatable: true, summary: 'only this platform' },
      { name: 'mode', value: 'M', choices: ['fast', 'slow'], summary: 'how' },
      { name: 'no-clobber', summary: 'keep an existing tag' },
      { name: 'dry-run', summary: 'change nothing' },
    ],
    examples: { 'Probe x': 'regi probe x' },
    load: async () => body,
    ...spec,
  };
}

/** A command that prints its arguments. */
export const ECHO = fakeCommand(async function* (args) {
  yield args;
});
