import { collect } from '../../bytes.ts';
import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import { quote } from '../../quote.ts';
import type { Level, ReferenceKind } from '../../refs/found.ts';
import { lineAndColumn } from '../../refs/position.ts';
import { searchFiles, type SearchedFile, type UnreadFile } from '../../refs/search.ts';
import { flag } from '../arguments/arguments.ts';

/** One reference in a file. */
export interface FoundRow {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, of the first character of the image's text. */
  readonly column: number;
  readonly reference: string;
  readonly level: Level;
  readonly kind: ReferenceKind;
  readonly why: string;
  /** Set with `--list`: the reference alone is printed. */
  readonly isListed: boolean;
}

/** `regi refs find`: prints the image names in files. */
export const refsFindCommand: CommandBody<FoundRow> = {
  run: runFind,
  text: (row) =>
    row.isListed
      ? `${row.reference}\n`
      : `${row.file}:${row.line}:${row.column} ${row.level} ${row.reference} (${row.why})\n`,
  json: ({ file, line, column, reference, level, kind, why }) => ({
    file,
    line,
    column,
    reference,
    level,
    kind,
    why,
  }),
};

const STDIN_LIMIT_BYTES = 64 * 1024 * 1024;

async function* runFind(args: ParsedArguments, context: Context): AsyncIterable<FoundRow> {
  const isListed = flag(args, 'list');
  const listed = new Set<string>();
  for await (const file of searchedFiles(args, context)) {
    for (const { at, reference, level, kind, why } of file.findings.found) {
      if (isListed && (kind !== 'image' || listed.has(reference))) continue;
      listed.add(reference);
      const place = lineAndColumn(file.text, at);
      yield { file: file.path, ...place, reference, level, kind, why, isListed };
    }
  }
}

/**
 * Searches the paths of a command. Says what is unresolved, what deserves a remark, and, at the
 * end, which files were not read.
 *
 * @throws {RegiError} PARTIAL_FAILURE at the end if standard input or a file that was named could
 *   not be read.
 */
export async function* searchedFiles(
  { positionals }: ParsedArguments,
  { io, signal, warn }: Context,
): AsyncGenerator<SearchedFile> {
  const unread: UnreadFile[] = [];
  const files = searchFiles(positionals.length === 0 ? ['.'] : positionals, {
    cwd: io.cwd,
    signal,
    readStdin: async () => collect(io.stdin.bytes(), STDIN_LIMIT_BYTES, 'standard input'),
  });
  for await (const file of files) {
    if (file.kind === 'unread') unread.push(file);
    else {
      const placeOf = (at: number): string => {
        const { line, column } = lineAndColumn(file.text, at);
        return `${file.path}:${line}:${column}`;
      };
      for (const { at, text, variables } of file.findings.unresolved) {
        warn(
          `${placeOf(at)}: ${text} names no image: ${variables.join(', ')} ${variables.length === 1 ? 'has' : 'have'} no value`,
        );
      }
      for (const { at, message } of file.findings.remarks) warn(`${placeOf(at)}: ${message}`);
      yield file;
    }
  }
  for (const [reason, hint] of Object.entries(HINTS)) {
    const ofReason = unread.filter((file) => file.reason === reason);
    const [first] = ofReason;
    if (first === undefined) continue;
    const count = formatCount(ofReason.length, 'file');
    warn(
      `Did not read ${count}: ${NAMES[first.reason]}, such as ${first.path} (${first.detail})`,
      hint,
    );
  }
  const expected = unread.filter(({ isExpected }) => isExpected);
  if (expected.length > 0) {
    const paths = expected.map(({ path }) => quote(path)).join(', ');
    throw new RegiError('PARTIAL_FAILURE', `Cannot search ${paths}`, {
      hint: 'the warning above says why',
    });
  }
}

const NAMES: Readonly<Record<UnreadFile['reason'], string>> = {
  binary: 'no text in UTF-8',
  'chart archive': 'packed charts',
  invalid: 'not valid YAML',
  large: 'too large',
  template: 'templates of a chart',
  unreadable: 'not readable',
};

const HINTS: Readonly<Record<UnreadFile['reason'], string>> = {
  template: 'render the chart and search that: helm template CHART | regi refs find -',
  'chart archive': 'render the chart that contains them: helm template CHART | regi refs find -',
  invalid: 'mend the file, or leave it out',
  large: 'search the part of the file that names images',
  binary: 'leave the file out, or save it as UTF-8',
  unreadable: 'look at the permissions',
};
