import { COMMAND_GROUPS, type CommandGroup, type CommandSpec } from '../../command.ts';

/** The commands of a group, in their own order. */
export interface GroupedCommands {
  readonly group: CommandGroup;
  readonly members: readonly CommandSpec[];
}

/** The commands as help, the docs and the man page list them: by what people come for. Groups without any are left out. */
export function groupCommands(commands: readonly CommandSpec[]): readonly GroupedCommands[] {
  return COMMAND_GROUPS.map((group) => ({
    group,
    members: commands.filter((spec) => spec.group === group),
  })).filter(({ members }) => members.length > 0);
}

/** What commands that share their first word do, where a list has one line for them all. */
export const TOPICS: Readonly<Record<string, string>> = {
  index: 'Put images of several platforms together',
  manifest: 'Read or write a manifest, byte for byte',
  blob: 'Read or write a blob, byte for byte',
  auth: 'See which logins there are, and where',
};
