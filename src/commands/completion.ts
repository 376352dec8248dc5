import type { CommandBody, ParsedArguments } from '../command.ts';
import { UsageError } from '../usage-error.ts';
import { positional } from './arguments.ts';
import { COMPLETION_SCRIPTS, SHELLS } from './completion-scripts.ts';

export interface ScriptRow {
  readonly shell: string;
  readonly script: string;
}

/** `regi completion`: what a shell has to run to complete the words of regi. */
export const completionCommand: CommandBody<ScriptRow> = {
  run: runCompletion,
  text: ({ script }) => script,
};

async function* runCompletion(args: ParsedArguments): AsyncIterable<ScriptRow> {
  const typed = positional(args, 0, 'a shell', `type one of ${SHELLS.join(', ')}`);
  const shell = SHELLS.find((known) => known === typed);
  if (shell === undefined)
    throw new UsageError(`Cannot complete for ${JSON.stringify(typed)}: expected ${SHELLS.join(', ')}`, { hint: 'type regi completion bash' });
  yield { shell, script: COMPLETION_SCRIPTS[shell] };
}
