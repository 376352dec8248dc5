import type { Context } from './context.ts';
import type { Styled } from './styled.ts';

/** An option of a command, as data. The parser, help, completion and the docs are made from it. */
export interface OptionSpec {
  /** `platform` for the flag `--platform`. */
  readonly name: string;
  /** One letter. */
  readonly short?: string | undefined;
  /** Placeholder of its value, such as `P`; undefined for a switch. */
  readonly value?: string | undefined;
  readonly repeatable?: boolean | undefined;
  /** Refuses a second occurrence. Elsewhere the last one counts, as in shell aliases. */
  readonly once?: boolean | undefined;
  readonly choices?: readonly string[] | undefined;
  readonly summary: string;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean | undefined;
  readonly variadic?: boolean | undefined;
}

/**
 * A parsed command line. Switches are true or absent, values are strings, repeatable flags are
 * lists.
 */
export interface ParsedArguments {
  /** The name or alias that was typed, such as `image save`. */
  readonly typed?: string | undefined;
  readonly positionals: readonly string[];
  /** Keyed by the name in the spec, such as `dry-run`. */
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** The implementation of a command, loaded only when it runs. It yields rows and prints nothing. */
export interface CommandBody<Row> {
  readonly run: (args: ParsedArguments, context: Context) => AsyncIterable<Row>;
  /** Formats a row for standard output; empty for a row that only `--json` prints. */
  text(row: Row, context: Context): Styled | Uint8Array;
  /** Returns the object that `--json` prints for a row; the row itself when absent. */
  json?(row: Row): unknown;
}

/** Groups of commands, in the order of help. */
export const COMMAND_GROUPS = [
  'Move',
  'Inspect',
  'Manage',
  'Air gap',
  'Local store',
  'Low level',
  'Credentials',
  'Other',
] as const;

export type CommandGroup = (typeof COMMAND_GROUPS)[number];

/** Declaration of a command. */
export interface CommandSpec {
  /** One or more words: `copy`, `tags list`. */
  readonly name: string;
  readonly group: CommandGroup;
  /** Other full names: `ls` for `tags list`. */
  readonly aliases?: readonly string[] | undefined;
  readonly summary: string;
  /** Paragraphs separated by empty lines; a line that begins with "- " is an item of a list. */
  readonly description: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Flags of other tools that do not exist here, with a hint. Their values are never printed. */
  readonly refusedFlags?: Readonly<Record<string, string>> | undefined;
  /** Commands by what they do. */
  readonly examples: Readonly<Record<string, string>>;
  /** True if it writes: it then runs to its end even if the reader of its output has gone. */
  readonly changes?: boolean | undefined;
  /** True if it prints a summary of its transfers itself. */
  readonly summarises?: boolean | undefined;
  readonly load: () => Promise<CommandBody<unknown>>;
}
