import type { CommandSpec, OptionSpec } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { hintForForeign } from './foreign-words.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';
import { nearest } from './suggest.ts';

/** What a command line asks for, before its flags are looked at. */
export type Request =
  | { readonly kind: 'run'; readonly spec: CommandSpec; readonly words: readonly string[] }
  | { readonly kind: 'help'; readonly spec: CommandSpec }
  /** A list of commands: those whose name starts with `prefix`; all when it is empty. */
  | { readonly kind: 'overview'; readonly prefix: string };

/** Words that people try, where one command would have to guess which of several things they mean. */
const REFUSED: Readonly<Record<string, string>> = {
  rm: 'type `regi tags delete REF` for a tag, `regi delete REPO@DIGEST` for a manifest, or `regi rmi REF` for the local store',
};

/**
 * Finds the command that a command line names, with or without global flags before the name.
 *
 * @throws {UsageError} when it names none; the hint suggests the nearest.
 */
export function findCommand(argv: readonly string[], commands: readonly CommandSpec[]): Request {
  const byName = new Map(
    commands.flatMap((spec) =>
      [spec.name, ...(spec.aliases ?? [])].map((name) => [name, spec] as const),
    ),
  );
  const [first, ...rest] = argv;
  if (first === 'help') return findHelp(rest, byName);
  const { name, words, next } = splitName(argv, byName);
  const spec = byName.get(name);
  if (spec !== undefined) return { kind: 'run', spec, words };
  if (next === undefined || argv.some(isHelpFlag)) return overview(name, next, byName);
  throw unknownCommand(name, [next, ...words.slice(words.indexOf(next) + 1)], byName);
}

function findHelp(words: readonly string[], byName: ReadonlyMap<string, CommandSpec>): Request {
  if (words[0] === 'help') return { kind: 'overview', prefix: '' };
  const { name, next } = splitName(words, byName);
  const spec = byName.get(name);
  return spec === undefined ? overview(name, next, byName) : { kind: 'help', spec };
}

function overview(
  prefix: string,
  next: string | undefined,
  byName: ReadonlyMap<string, CommandSpec>,
): Request {
  if (next !== undefined) throw unknownCommand(prefix, [next], byName);
  return { kind: 'overview', prefix };
}

/**
 * Takes as many words as are the beginning of a command's name; flags may stand between them.
 * `next` is the first word that did not fit.
 */
function splitName(
  argv: readonly string[],
  byName: ReadonlyMap<string, CommandSpec>,
): { name: string; words: readonly string[]; next: string | undefined } {
  let name = '';
  const words: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--')
      return { name, words: [...words, ...argv.slice(index)], next: argv[index + 1] };
    if (word.startsWith('-')) {
      words.push(word);
      const value = argv[index + 1];
      if (takesNextWord(word) && value !== undefined) {
        words.push(value);
        index += 1;
      }
      continue;
    }
    const longer = name === '' ? word : `${name} ${word}`;
    if (!startsAnyName(longer, byName))
      return { name, words: [...words, ...argv.slice(index)], next: word };
    name = longer;
  }
  return { name, words, next: undefined };
}

function startsAnyName(words: string, byName: ReadonlyMap<string, CommandSpec>): boolean {
  return [...byName.keys()].some((name) => name === words || name.startsWith(`${words} `));
}

/** Whether `--flag value` is meant. A command's own flags stand behind its whole name, where this is not asked. */
function takesNextWord(flag: string): boolean {
  const options: readonly OptionSpec[] = GLOBAL_OPTIONS;
  return options.some((option) => option.value !== undefined && flag === `--${option.name}`);
}

function isHelpFlag(word: string): boolean {
  return word === '--help' || word === '-h';
}

function unknownCommand(
  prefix: string,
  [next = '', after]: readonly string[],
  byName: ReadonlyMap<string, CommandSpec>,
): UsageError {
  const typed = prefix === '' ? next : `${prefix} ${next}`;
  const refusal = Object.hasOwn(REFUSED, typed) ? REFUSED[typed] : undefined;
  if (refusal !== undefined)
    return new UsageError(`Cannot guess what ${JSON.stringify(typed)} is to remove`, {
      hint: refusal,
    });
  const foreign =
    (after === undefined ? undefined : hintForForeign(`${typed} ${after}`)) ??
    hintForForeign(typed);
  if (foreign !== undefined)
    return new UsageError(`Cannot find command ${JSON.stringify(typed)}`, { hint: foreign });
  const suggestion = nearest(typed.toLowerCase(), byName.keys());
  const list = '`regi help` lists the commands';
  return new UsageError(`Cannot find command ${JSON.stringify(typed)}`, {
    hint: suggestion === undefined ? list : `did you mean \`regi ${suggestion}\`? ${list}`,
  });
}
