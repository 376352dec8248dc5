import type { CommandSpec, OptionSpec } from '../command.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

/** What may stand where the cursor is. */
export type CompletionPoint =
  /** A word of a command's name, behind the words of `before`. */
  | { readonly kind: 'command'; readonly before: readonly string[]; readonly word: string }
  | { readonly kind: 'flag'; readonly spec: CommandSpec | undefined; readonly word: string }
  /** The value of a flag; `lead` is what stands before it in the same word: `--platform=`. */
  | { readonly kind: 'option'; readonly option: OptionSpec; readonly lead: string; readonly word: string }
  /** `before` where the name of another command may go on: `tag ls` behind `tag`. */
  | { readonly kind: 'argument'; readonly spec: CommandSpec; readonly name: string; readonly word: string; readonly before: readonly string[] | undefined }
  | { readonly kind: 'nothing' };

/**
 * Finds out what the last of `words` is the beginning of.
 *
 * @param words behind the program's name; the last is the one at the cursor, and may be empty.
 */
export function completionPoint(words: readonly string[], commands: readonly CommandSpec[]): CompletionPoint {
  const byName = new Map(commands.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])].map((name) => [name, spec] as const)));
  const word = words.at(-1) ?? '';
  const name: string[] = [];
  let spec: CommandSpec | undefined;
  let arguments_ = 0;
  let pending: OptionSpec | undefined;
  let dashes = false;
  const [helps, before] = words[0] === 'help' && words.length > 1 ? [true, words.slice(1, -1)] : [false, words.slice(0, -1)];
  for (const given of before) {
    if (pending !== undefined) pending = undefined;
    else if (!dashes && given === '--') dashes = true;
    else if (!dashes && given.startsWith('-')) pending = given.includes('=') ? undefined : optionOf(given, spec);
    else if (arguments_ === 0 && isBeginning([...name, given].join(' '), byName)) {
      name.push(given);
      spec = byName.get(name.join(' '));
    } else arguments_ += 1;
  }
  if (pending !== undefined) return { kind: 'option', option: pending, lead: '', word };
  if (!dashes && word.startsWith('-')) return flagPoint(word, spec);
  const isLonger = arguments_ === 0 && [...byName.keys()].some((known) => known.startsWith([...name, ''].join(' ')));
  if (spec === undefined || helps) return isLonger ? { kind: 'command', before: name, word } : { kind: 'nothing' };
  const last = spec.arguments.at(-1);
  const argument = spec.arguments[arguments_] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? { kind: 'nothing' } : { kind: 'argument', spec, name: argument.name, word, before: isLonger ? name : undefined };
}

/** The flags that can stand behind a command's name; before it only those of every command. */
export function flagsOf(spec: CommandSpec | undefined): readonly OptionSpec[] {
  return [...(spec?.options ?? []), ...GLOBAL_OPTIONS, { name: 'help', short: 'h', summary: 'show the arguments, flags and examples' }];
}

function flagPoint(word: string, spec: CommandSpec | undefined): CompletionPoint {
  const equals = word.indexOf('=');
  if (equals < 0) return { kind: 'flag', spec, word };
  const option = optionOf(word.slice(0, equals), spec);
  return option === undefined ? { kind: 'nothing' } : { kind: 'option', option, lead: word.slice(0, equals + 1), word: word.slice(equals + 1) };
}

/** The option that a flag names, when it takes a value. */
function optionOf(flag: string, spec: CommandSpec | undefined): OptionSpec | undefined {
  return flagsOf(spec).find(({ name, short, value }) => value !== undefined && (flag === `--${name}` || flag === `-${short}`));
}

function isBeginning(words: string, byName: ReadonlyMap<string, CommandSpec>): boolean {
  return [...byName.keys()].some((name) => name === words || name.startsWith(`${words} `));
}
