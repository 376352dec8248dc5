import type { CommandSpec, OptionSpec } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { foreignCommandHint } from './foreign-tools.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';
import { nearest } from './suggest.ts';

/** The request of a command line, before its flags are parsed. */
export type Request =
  /** `typed` is the name or alias that was typed. */
  | {
      readonly kind: 'run';
      readonly spec: CommandSpec;
      readonly typed: string;
      readonly words: readonly string[];
    }
  | { readonly kind: 'help'; readonly spec: CommandSpec }
  /** Lists the commands whose name starts with `prefix`; all if it is empty. */
  | { readonly kind: 'overview'; readonly prefix: string };

export type CommandsByName = ReadonlyMap<string, CommandSpec>;

/** Words that could mean several commands. */
const REFUSED: Readonly<Record<string, string>> = {
  rm: 'type `regi tags delete REF` for a tag, `regi delete REPO@DIGEST` for a manifest, or `regi rmi REF` for the local store',
};

/**
 * Finds the command that a command line names, with or without global flags before the name.
 *
 * @throws {UsageError} if it names none; the hint suggests the nearest.
 */
export function findCommand(argv: readonly string[], commands: readonly CommandSpec[]): Request {
  const byName = commandsByName(commands);
  const [first, ...rest] = argv;
  if (first === 'help') return findHelp(rest, byName);
  const { name, words, next } = splitName(argv, byName);
  const spec = byName.get(name);
  // `manifest` alone is crane's name of one command, and also begins the names of others.
  const isGroup = spec !== undefined && spec.name.startsWith(`${name} `);
  if (isGroup && (next === undefined || argv.some(isHelpFlag)))
    return overview(name, undefined, byName);
  if (isGroup && foreignCommandHint(`${name} ${next ?? ''}`) !== undefined)
    throw unknownCommand(name, [next ?? ''], byName);
  if (spec !== undefined) return { kind: 'run', spec, typed: name, words };
  if (next === undefined || argv.some(isHelpFlag)) {
    if (!argv.some(isHelpFlag)) checkFlag(words);
    return overview(name, next, byName);
  }
  throw unknownCommand(name, [next, ...words.slice(words.indexOf(next) + 1)], byName);
}

/** Maps every name and alias to its command. */
export function commandsByName(commands: readonly CommandSpec[]): CommandsByName {
  return new Map(
    commands.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])].map((name) => [name, spec])),
  );
}

function findHelp(words: readonly string[], byName: CommandsByName): Request {
  if (words[0] === 'help') return { kind: 'overview', prefix: '' };
  const { name, next } = splitName(words, byName);
  const spec = byName.get(name);
  return spec === undefined || spec.name.startsWith(`${name} `)
    ? overview(name, next, byName)
    : { kind: 'help', spec };
}

function overview(prefix: string, next: string | undefined, byName: CommandsByName): Request {
  if (next !== undefined) throw unknownCommand(prefix, [next], byName);
  return { kind: 'overview', prefix };
}

/** Refuses a flag that no command has, where no command is named. @throws {UsageError} */
function checkFlag([first = '']: readonly string[]): void {
  const [flag = ''] = first.split('=', 1);
  if (!/^--./.test(flag)) return;
  const known = [...GLOBAL_OPTIONS.map(({ name }) => `--${name}`), '--help', '--version'];
  if (known.includes(flag)) return;
  const suggestion = nearest(flag, known);
  throw new UsageError(`Cannot use ${JSON.stringify(flag)}: regi has no such flag`, {
    hint: `${suggestion === undefined ? '' : `did you mean ${suggestion}? `}\`regi help\` lists commands and flags`,
  });
}

/**
 * Splits off the longest beginning of a command name; flags may stand between its words.
 * `next` is the first other word.
 */
function splitName(
  argv: readonly string[],
  byName: CommandsByName,
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

/** True if the words are a command name or its beginning. */
export function startsAnyName(words: string, byName: CommandsByName): boolean {
  return [...byName.keys()].some((name) => name === words || name.startsWith(`${words} `));
}

/**
 * True if a global flag takes the next word as its value. A command's own flags come after its
 * name.
 */
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
  byName: CommandsByName,
): UsageError {
  const typed = prefix === '' ? next : `${prefix} ${next}`;
  const refusal = Object.hasOwn(REFUSED, typed) ? REFUSED[typed] : undefined;
  if (refusal !== undefined)
    return new UsageError(`Cannot run ${JSON.stringify(typed)}: it could mean several commands`, {
      hint: refusal,
    });
  const foreign =
    (after === undefined ? undefined : foreignCommandHint(`${typed} ${after}`)) ??
    foreignCommandHint(typed);
  if (foreign !== undefined)
    return new UsageError(`Cannot find command ${JSON.stringify(typed)}`, { hint: foreign });
  const suggestion = nearest(typed.toLowerCase(), byName.keys());
  const list = '`regi help` lists the commands';
  return new UsageError(`Cannot find command ${JSON.stringify(typed)}`, {
    hint: suggestion === undefined ? list : `did you mean \`regi ${suggestion}\`? ${list}`,
  });
}
