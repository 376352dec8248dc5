import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { replaceFile } from '../../disk/atomic-write.ts';
import { RegiError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import type { Digest } from '../../oci/digest.ts';
import {
  formatReference,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { lineAndColumn } from '../../refs/position.ts';
import { rewriteText } from '../../refs/rewrite.ts';
import type { SearchedFile } from '../../refs/search.ts';
import { movedSelectors } from '../../refs/selectors.ts';
import { lineDiff } from '../../render/line-diff.ts';
import { withStores } from '../../targets/open-store.ts';
import { flag } from '../arguments/arguments.ts';
import { someFailedError } from '../arguments/each-argument.ts';
import { renameOption } from './destinations.ts';
import { searchedFiles } from './find.ts';
import { askEach, isSure, reportFailed } from './references.ts';

/** One file with changes. */
export interface RewrittenRow {
  readonly file: string;
  readonly changes: readonly {
    readonly line: number;
    readonly column: number;
    readonly from: string;
    readonly to: string;
  }[];
  /** A diff, or for standard input the text itself. */
  readonly text: string;
}

/** `regi refs rewrite`: replaces the image names in files by those of a mirror. */
export const refsRewriteCommand: CommandBody<RewrittenRow> = {
  run: runRewrite,
  // A pipe and a file get the very bytes; a terminal gets control characters escaped.
  text: ({ text }, { io }) => (io.stdout.isTTY ? text : Buffer.from(text)),
  json: ({ file, changes }) => ({ file, changes }),
};

async function* runRewrite(args: ParsedArguments, context: Context): AsyncIterable<RewrittenRow> {
  const rename = await renameOption(args, context);
  const guesses = flag(args, 'guesses');
  const inPlace = flag(args, 'in-place');
  const files: SearchedFile[] = [];
  for await (const file of searchedFiles(args, context)) files.push(file);
  if (inPlace) for (const file of files) if (!file.isLinked) await refuseLink(file.path, context);
  const digests = flag(args, 'digests') ? await digestsOf(files, guesses, context) : undefined;
  const digestOf =
    digests === undefined
      ? undefined
      : (reference: Reference): Digest | undefined =>
          digests.get(formatReference(withDefaultTag(reference)));
  // Everything is planned before the first file changes: a collision stops all of it.
  const options = { rename, digestOf, guesses };
  const first = files.map((file) => ({ file, ...rewriteText(file.text, file.findings, options) }));
  const planned = first.map((one) => {
    const selectors = movedSelectors(one, first);
    const { file } = one;
    return selectors.size === 0
      ? one
      : { file, ...rewriteText(file.text, file.findings, { ...options, selectors }) };
  });
  let left = 0;
  for (const { file, text, changes, kept } of planned) {
    const placeOf = (at: number): string => {
      const { line, column } = lineAndColumn(file.text, at);
      return `${file.path}:${line}:${column}`;
    };
    for (const { finding, reason } of kept) {
      if (isSure(finding)) left += 1;
      context.warn(`${placeOf(finding.at)}: left ${finding.reference} alone: ${reason}`);
    }
    const isInput = file.path === '-';
    if (text === file.text && !isInput) continue;
    if (inPlace && file.isLinked) {
      left += changes.length;
      context.warn(`${file.path}: left alone: a link leads to it`, 'name the file itself');
      continue;
    }
    if (inPlace && !isInput) await writeBack(file.path, text, context);
    yield {
      file: file.path,
      changes: changes.map(({ finding, to }) => ({
        ...lineAndColumn(file.text, finding.at),
        from: finding.reference,
        to,
      })),
      text: isInput ? text : inPlace ? '' : lineDiff(file.path, file.text, text),
    };
  }
  const changed = planned.reduce(
    (sum, { file, changes }) => sum + (file.isLinked ? 0 : changes.length),
    0,
  );
  if (inPlace) context.note(`Rewrote ${formatCount(changed, 'reference')}`);
  if (left > 0) {
    throw new RegiError(
      'PARTIAL_FAILURE',
      `Cannot rewrite ${formatCount(left, 'reference')} by replacing bytes`,
      { hint: 'change them by hand; the places are above' },
    );
  }
}

/** Resolves each image where it is now, before its name changes. */
async function digestsOf(
  files: readonly SearchedFile[],
  guesses: boolean,
  context: Context,
): Promise<ReadonlyMap<string, Digest>> {
  const references = new Map<string, Reference>();
  for (const { findings } of files) {
    for (const finding of findings.found) {
      if (!guesses && !isSure(finding)) continue;
      const parsed = withDefaultTag(parseReference(finding.reference));
      references.set(formatReference(parsed), parsed);
    }
  }
  const images = [...references.values()].map((reference) => ({ reference, place: '' }));
  const digests = new Map<string, Digest>();
  const failures: RegiError[] = [];
  const asked = withStores(context, {}, async function* (stores) {
    yield* askEach(images, context.signal, async ({ reference }, signal) => {
      const { store, reference: name } = await stores.open(
        { kind: 'registry', reference },
        'source',
      );
      return (await store.resolve(name, { signal })).digest;
    });
  });
  for await (const outcome of asked) {
    if (outcome.kind === 'done')
      digests.set(formatReference(outcome.image.reference), outcome.value);
    else {
      failures.push(outcome.error);
      reportFailed(outcome, context);
    }
  }
  if (failures.length > 0) {
    throw someFailedError(failures, images.length, 'no file was changed');
  }
  return digests;
}

/** Refuses a named link, which must not lead a rewrite to another file. */
async function refuseLink(path: string, { io }: Context): Promise<void> {
  if (path === '-' || !(await lstat(resolve(io.cwd, path))).isSymbolicLink()) return;
  throw new RegiError('REFUSED', `Cannot rewrite ${quote(path)} in place: it is a link`, {
    hint: 'name the file that it leads to',
  });
}

async function writeBack(path: string, text: string, { io, signal }: Context): Promise<void> {
  const full = resolve(io.cwd, path);
  const { mode } = await lstat(full);
  await replaceFile(full, Buffer.from(text), { signal, mode: mode % 0o10000 });
}
