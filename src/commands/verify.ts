import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { RegiError } from '../errors.ts';
import { formatBytes, formatCount } from '../format.ts';
import { verifyImages, type FoundProblem, type VerifyReport } from '../operations/verify-image.ts';
import { flag, values } from './arguments.ts';
import { withStores } from './open-store.ts';
import { tableLines } from './table-lines.ts';
import { openVerifyTarget } from './verify-target.ts';

export interface VerifyRow extends VerifyReport {
  /** As typed. */
  readonly location: string;
}

/** How a table calls what `--json` calls so. */
const SHOWN = {
  missing: 'missing',
  corrupt: 'corrupt',
  'absent-in-base': 'absent (in base)',
  absent: 'absent',
  extra: 'extra',
} as const satisfies Record<FoundProblem['status'], string>;

const STATUSES = ['missing', 'corrupt', 'absent-in-base', 'absent', 'extra'] as const satisfies readonly FoundProblem['status'][];

/** Something is missing or corrupt. */
export class NotWholeError extends RegiError {
  readonly code = 'CONTENT_MISMATCH';
  readonly locations: readonly string[];

  constructor(locations: readonly string[], onlyInBase: boolean) {
    const names = locations.map((location) => JSON.stringify(location)).join(', ');
    super(`Cannot vouch for ${names}: ${onlyInBase ? 'layers are in an earlier archive' : 'something is missing or corrupt'}`, {
      hint: onlyInBase ? 'name that archive too: regi verify NEW.tar --base OLD.tar' : 'copy the image there again from where it came, with --force',
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
  const broken: VerifyRow[] = [];
  const bases = values(args, 'base');
  const { signal, settings } = context;
  yield* withStores(context, {}, async function* (stores) {
    for (const location of args.positionals) {
      const { source, roots, close, ...rest } = await openVerifyTarget(location, bases, stores, context);
      try {
        const report = await verifyImages(source, roots, { ...rest, signal, deep: flag(args, 'deep'), concurrency: settings.concurrency });
        const row = { location, ...report };
        if (!report.whole) broken.push(row);
        yield row;
      } finally {
        await close();
      }
    }
  });
  if (broken.length === 0) return;
  const faults = broken.flatMap(({ problems }) => problems).filter(({ status }) => status === 'missing' || status === 'corrupt');
  throw new NotWholeError(
    broken.map(({ location }) => location),
    faults.length === 0,
  );
}

function verifyText({ location, whole, images, verified, bytes, problems }: VerifyRow, { settings }: Context): string {
  if (settings.quiet && whole) return '';
  const counts = STATUSES.flatMap((status) => {
    const count = problems.filter((found) => found.status === status).length;
    return count === 0 ? [] : [`${count} ${SHOWN[status]}`];
  });
  const facts = [formatCount(images, 'image'), `${formatCount(verified, 'node')} of ${formatBytes(bytes)} verified`, ...counts];
  const head = `${location.endsWith(':') ? location : `${location}:`} ${whole ? 'whole' : 'not whole'}: ${facts.join(', ')}\n`;
  return `${head}${tableLines(problems.map(cellsOf))
    .map((line) => `  ${line}`)
    .join('')}`;
}

function cellsOf({ status, digest, size, mediaType, image, problem }: FoundProblem): readonly string[] {
  const where = image === undefined ? '' : `in ${image}`;
  // The digest stands in the line already.
  const why = status === 'corrupt' && problem !== undefined ? problem.replace(`Cannot accept ${digest}: `, '') : '';
  return [SHOWN[status], digest, formatBytes(size), mediaType ?? '', where, why];
}
