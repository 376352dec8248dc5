import type { Context } from './context.ts';

/** An option of a command, as data: commander, help, completions and the docs are all made from it. */
export interface OptionSpec {
  /** Such as `platform`; the flag is `--platform`. */
  readonly name: string;
  /** One letter. */
  readonly short?: string | undefined;
  /** The name of its value, such as `P`; a switch has none. */
  readonly value?: string | undefined;
  readonly repeatable?: boolean | undefined;
  readonly choices?: readonly string[] | undefined;
  readonly summary: string;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean | undefined;
  readonly variadic?: boolean | undefined;
}

export interface ExampleSpec {
  readonly command: string;
  readonly summary: string;
}

/** Parsed words of a command line. Switches are true or absent, values are text, repeatable ones are lists. */
export interface ParsedArguments {
  readonly positionals: readonly string[];
  /** By the name of the option as its spec writes it, such as `dry-run`. */
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** What a command does, loaded only when it runs. A command yields rows and prints nothing. */
export interface CommandBody<Row> {
  readonly run: (args: ParsedArguments, context: Context) => AsyncIterable<Row>;
  /** The row on standard output, exactly; empty for a row that only `--json` shows. */
  text(row: Row, context: Context): string | Uint8Array;
  /** The row as an object of `--json`; the row itself when absent. */
  json?(row: Row): unknown;
}

/** What people come for, in the order in which help lists it. */
export const COMMAND_GROUPS = [
  'Move',
  'Look',
  'Manage',
  'Air gap',
  'Local store',
  'Raw parts',
  'Credentials',
  'Around it',
] as const;

export type CommandGroup = (typeof COMMAND_GROUPS)[number];

/** What a command is. */
export interface CommandSpec {
  /** Such as `copy` or `tags list`. */
  readonly name: string;
  readonly group: CommandGroup;
  /** Whole names too: `ls` for `tags list`. */
  readonly aliases?: readonly string[] | undefined;
  readonly summary: string;
  /** Paragraphs for `--help` and the docs. */
  readonly description: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Flags that people try and that there are not, with what to type instead. What follows them is not quoted. */
  readonly refusedFlags?: Readonly<Record<string, string>> | undefined;
  readonly examples: readonly ExampleSpec[];
  /** It changes something, so it goes on when nobody reads its answer any more; a command that only looks stops then. */
  readonly changes?: boolean | undefined;
  readonly load: () => Promise<CommandBody<unknown>>;
}
