import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { RegiError } from '../errors.ts';
import { formatBytes, formatCount } from '../format.ts';
import { verifyImages, type FoundProblem, type VerifyReport } from '../operations/verify-image.ts';
import { flag } from './arguments.ts';
import { withStores } from './open-store.ts';
import { tableLines } from './table-lines.ts';
import { openVerifyTarget } from './verify-target.ts';

export interface VerifyRow extends VerifyReport {
  /** As typed. */
  readonly location: string;
}

/** Something is missing or corrupt. */
export class NotWholeError extends RegiError {
  readonly code = 'CONTENT_MISMATCH';
  readonly locations: readonly string[];

  constructor(locations: readonly string[]) {
    super(`Cannot vouch for ${locations.map((location) => JSON.stringify(location)).join(', ')}: something is missing or corrupt`, {
      hint: 'copy the image there again from where it came, with --force',
    });
    this.locations = locations;
  }
}

/** `regi verify`: whether everything is there and is what its digest says. */
export const verifyCommand: CommandBody<VerifyRow> = {
  run: runVerify,
  text: verifyText,
};

async function* runVerify(args: ParsedArguments, context: Context): AsyncIterable<VerifyRow> {
  const broken: string[] = [];
  const { signal, settings } = context;
  yield* withStores(context, {}, async function* (stores) {
    for (const location of args.positionals) {
      const { source, roots, close, ...rest } = await openVerifyTarget(location, stores, context);
      try {
        const report = await verifyImages(source, roots, { ...rest, signal, deep: flag(args, 'deep'), concurrency: settings.concurrency });
        if (!report.whole) broken.push(location);
        yield { location, ...report };
      } finally {
        await close();
      }
    }
  });
  if (broken.length > 0) throw new NotWholeError(broken);
}

function verifyText({ location, whole, images, verified, bytes, problems }: VerifyRow, { settings }: Context): string {
  if (settings.quiet && whole) return '';
  const counts = (['missing', 'corrupt', 'absent', 'extra'] as const).flatMap((status) => {
    const count = problems.filter((found) => found.status === status).length;
    return count === 0 ? [] : [`${count} ${status}`];
  });
  const facts = [formatCount(images, 'image'), `${formatCount(verified, 'node')} of ${formatBytes(bytes)} verified`, ...counts];
  const head = `${location.endsWith(':') ? location : `${location}:`} ${whole ? 'whole' : 'not whole'}: ${facts.join(', ')}\n`;
  return `${head}${tableLines(problems.map(cellsOf))
    .map((line) => `  ${line}`)
    .join('')}`;
}

function cellsOf({ status, digest, size, mediaType, image, problem }: FoundProblem): readonly string[] {
  const where = image === undefined ? '' : `in ${image}`;
  const why = status === 'corrupt' && problem !== undefined ? problem : '';
  return [status, digest, formatBytes(size), mediaType ?? '', where, why];
}
