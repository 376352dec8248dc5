import { Command, CommanderError, Option } from 'commander';

import type { CommandSpec, OptionSpec, ParsedArguments } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import { foreignFlagHint } from './foreign-tools.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';
import { translateFlags } from './other-syntax.ts';
import { nearest } from './suggest.ts';

type OptionValue = ParsedArguments['options'][string];

/** Returned if `--help` is among the words. */
export const HELP_WANTED = Symbol('help wanted');

/**
 * Parses the words after a command name: its flags, the global flags and its arguments.
 *
 * @returns `HELP_WANTED` if `--help` is among them, even if other words are wrong.
 * @throws {UsageError} if a flag is unknown, lacks its value or has an invalid one, or if there are
 *   too few or too many arguments. Messages quote a value only if it cannot be a secret.
 */
export function parseArguments(
  spec: CommandSpec,
  words: readonly string[],
  typed = spec.name,
): ParsedArguments | typeof HELP_WANTED {
  const specs: readonly OptionSpec[] = [...spec.options, ...GLOBAL_OPTIONS];
  const translated = translateFlags(spec, words);
  const command = new Command(spec.name);
  command
    .exitOverride()
    .configureOutput({ writeOut: ignore, writeErr: ignore, outputError: ignore });
  command.allowExcessArguments(false).showSuggestionAfterError(false);
  for (const argument of spec.arguments)
    command.argument(
      argumentSyntax(argument.name, argument.optional === true, argument.variadic === true),
    );
  const options = specs.map((optionSpec) => [optionSpec, toOption(optionSpec, spec)] as const);
  for (const [, option] of options) command.addOption(option);
  try {
    command.parse(translated, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return HELP_WANTED;
    throw translate(error, spec, specs, translated);
  }
  return {
    typed,
    positionals: command.args,
    options: Object.fromEntries(
      options.map(([{ name }, option]) => [name, valueOf(command, option)]),
    ),
  };
}

/** Formats a flag: `--platform P`, `-q, --quiet`. */
export function optionSyntax({ name, short, value }: OptionSpec): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

function argumentSyntax(name: string, optional: boolean, variadic: boolean): string {
  const inside = `${name}${variadic ? '...' : ''}`;
  return optional ? `[${inside}]` : `<${inside}>`;
}

function toOption(optionSpec: OptionSpec, spec: CommandSpec): Option {
  const { name, short, value, repeatable, once, choices } = optionSpec;
  const option = new Option(
    `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`,
  );
  if (value === undefined && repeatable !== true) return option;
  const check = (text: string): string => {
    if (choices !== undefined && !choices.includes(text))
      throw unknownChoice(optionSpec, choices, text, spec);
    return text;
  };
  // Commander's `<value...>` would take the arguments after it too, and its `choices()` has no
  // hint.
  if (repeatable !== true)
    return option.argParser<string | undefined>((text: string, before) => {
      if (once === true && before !== undefined) throw givenTwice(optionSpec, spec);
      return check(text);
    });
  // For a repeatable switch only the number of its occurrences matters.
  return option.argParser<readonly string[] | undefined>((text: string | undefined, before) => [
    ...(before ?? []),
    check(text ?? ''),
  ]);
}

function valueOf(command: Command, option: Option): OptionValue {
  const value: unknown = command.getOptionValue(option.attributeName());
  // For `--no-clobber`, commander stores `clobber`: true unless the flag is given.
  if (option.negate) return value === false ? true : undefined;
  return value as OptionValue;
}

function translate(
  error: CommanderError,
  spec: CommandSpec,
  specs: readonly OptionSpec[],
  words: readonly string[],
): UsageError {
  switch (error.code) {
    case 'commander.unknownOption':
      return unknownOption(quoted(error), spec, specs);
    case 'commander.optionMissingArgument': {
      const option = specs.find((candidate) => quoted(error).includes(`--${candidate.name} `));
      const flag = option === undefined ? quoted(error) : optionSyntax(option);
      return new UsageError(`Cannot use "${flag}" without its value`, { hint: seeHelp(spec) });
    }
    case 'commander.missingArgument': {
      return new UsageError(`Cannot run "regi ${spec.name}" without ${quoted(error)}`, {
        hint: `type \`${usageLine(spec)}\`; ${seeHelp(spec)}`,
      });
    }
    case 'commander.excessArguments': {
      const most = spec.arguments.length;
      return new UsageError(
        `Cannot run "regi ${spec.name}": expected ${most === 0 ? 'no arguments' : `at most ${formatCount(most, 'argument')}`}`,
        {
          hint: words.some((word) => word.startsWith('-'))
            ? `${seeHelp(spec)}; switches take no value`
            : `type \`${usageLine(spec)}\``,
        },
      );
    }
    default:
      return new UsageError(`Cannot read the command line of "regi ${spec.name}"`, {
        hint: seeHelp(spec),
        cause: error,
      });
  }
}

/** Formats the usage: `regi copy SRC DST [FLAGS]`. */
export function usageLine(spec: CommandSpec): string {
  const names = spec.arguments.map(({ name, optional, variadic }) => {
    const text = `${name}${variadic === true ? '…' : ''}`;
    return optional === true ? `[${text}]` : text;
  });
  return ['regi', spec.name, ...names, '[FLAGS]'].join(' ');
}

function unknownOption(typed: string, spec: CommandSpec, specs: readonly OptionSpec[]): UsageError {
  // The part after "=" may be a password.
  const flag = typed.split('=', 1)[0] ?? typed;
  // A short flag may have its value attached: -pSECRET.
  const refused = Object.entries(spec.refusedFlags ?? {}).find(([name]) =>
    name.startsWith('--') ? name === flag : flag.startsWith(name),
  );
  if (refused !== undefined)
    return new UsageError(`Cannot use "${refused[0]}": "regi ${spec.name}" has no such flag`, {
      hint: refused[1],
    });
  if (specs.some((candidate) => `--${candidate.name}` === flag)) {
    return new UsageError(`Cannot give "${flag}" a value: it is a switch`, {
      hint: `type only ${flag}`,
    });
  }
  const foreign = foreignFlagHint(flag, (name) =>
    specs.some((candidate) => candidate.name === name),
  );
  const suggestion = nearest(
    flag,
    specs.map((candidate) => `--${candidate.name}`),
  );
  return new UsageError(
    `Cannot use ${JSON.stringify(flag)}: "regi ${spec.name}" has no such flag`,
    {
      hint:
        foreign ??
        (suggestion === undefined ? seeHelp(spec) : `did you mean ${suggestion}? ${seeHelp(spec)}`),
    },
  );
}

function givenTwice({ name }: OptionSpec, spec: CommandSpec): UsageError {
  return new UsageError(`Cannot use "--${name}" twice: expected one`, {
    hint:
      name === 'key' ? 'write several keys into the file of --verify, as "keys"' : seeHelp(spec),
  });
}

function unknownChoice(
  { name }: OptionSpec,
  choices: readonly string[],
  found: string,
  spec: CommandSpec,
): UsageError {
  const suggestion = nearest(found, choices);
  return new UsageError(
    `Cannot use ${JSON.stringify(found)} for "--${name}": expected ${choices.join(', ')}`,
    {
      hint: suggestion === undefined ? seeHelp(spec) : `did you mean --${name} ${suggestion}?`,
    },
  );
}

function seeHelp(spec: CommandSpec): string {
  return `\`regi help ${spec.name}\` lists the flags`;
}

/** Returns the flag or argument that commander's message has in single quotes. */
function quoted(error: CommanderError): string {
  return /'(?<inside>.*)'/s.exec(error.message)?.groups?.['inside'] ?? '';
}

function ignore(): void {}
