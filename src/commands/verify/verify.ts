import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { EXIT_STATUS, RegiError } from '../../errors.ts';
import { formatBytes, formatCount } from '../../format.ts';
import {
  verifyImages,
  type FoundProblem,
  type VerifyReport,
} from '../../operations/inspect/verify-image.ts';
import { flag, values } from '../arguments/arguments.ts';
import { SomeFailedError } from '../arguments/each-argument.ts';
import { withStores, type Stores } from '../../targets/open-store.ts';
import { tableLines } from '../../render/text.ts';
import { openVerifyTarget } from './target.ts';

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

const STATUSES = [
  'missing',
  'corrupt',
  'absent-in-base',
  'absent',
  'extra',
] as const satisfies readonly FoundProblem['status'][];

/** Something is missing or corrupt. */
export class NotWholeError extends RegiError {
  readonly locations: readonly string[];

  constructor(locations: readonly string[], onlyInBase: boolean) {
    const names = locations.map((location) => JSON.stringify(location)).join(', ');
    super(
      'CONTENT_MISMATCH',
      `Cannot vouch for ${names}: ${onlyInBase ? 'layers are in an earlier archive' : 'something is missing or corrupt'}`,
      {
        hint: onlyInBase
          ? `name that archive too: regi verify ${locations[0] ?? ''} --base OLD.tar`
          : 'copy the image there again from where it came, with --force',
      },
    );
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
  let failed = 0;
  const { positionals } = args;
  yield* withStores(context, {}, async function* (stores) {
    for (const location of positionals) {
      try {
        const row = await verifyOne(location, args, stores, context);
        if (!row.whole) broken.push(row);
        yield row;
      } catch (error) {
        context.signal.throwIfAborted();
        if (
          !(error instanceof RegiError) ||
          positionals.length === 1 ||
          EXIT_STATUS[error.code] === EXIT_STATUS.USAGE
        )
          throw error;
        failed += 1;
        context.onEvent({ kind: 'failed', image: location, error });
      }
    }
  });
  if (broken.length > 0) {
    const faults = broken
      .flatMap(({ problems }) => problems)
      .filter(({ status }) => status === 'missing' || status === 'corrupt');
    throw new NotWholeError(
      broken.map(({ location }) => location),
      faults.length === 0,
    );
  }
  if (failed > 0) throw new SomeFailedError(failed, positionals.length);
}

async function verifyOne(
  location: string,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): Promise<VerifyRow> {
  const { signal, settings } = context;
  const { source, roots, close, ...rest } = await openVerifyTarget(
    location,
    values(args, 'base'),
    stores,
    context,
  );
  try {
    const report = await verifyImages(source, roots, {
      ...rest,
      signal,
      deep: flag(args, 'deep'),
      concurrency: settings.concurrency,
    });
    return { location, ...report };
  } finally {
    await close();
  }
}

function verifyText(
  { location, whole, images, verified, bytes, problems }: VerifyRow,
  { settings }: Context,
): string {
  if (settings.quiet && whole) return '';
  const counts = STATUSES.flatMap((status) => {
    const count = problems.filter((found) => found.status === status).length;
    return count === 0 ? [] : [`${count} ${SHOWN[status]}`];
  });
  const facts = [
    formatCount(images, 'image'),
    `${formatCount(verified, 'manifest or blob', 'manifests and blobs')} (${formatBytes(bytes)}) verified`,
    ...counts,
  ];
  const head = `${location.endsWith(':') ? location : `${location}:`} ${whole ? 'whole' : 'not whole'}: ${facts.join(', ')}\n`;
  return `${head}${tableLines(problems.map(cellsOf))
    .map((line) => `  ${line}`)
    .join('')}`;
}

function cellsOf({
  status,
  digest,
  size,
  mediaType,
  image,
  problem,
}: FoundProblem): readonly string[] {
  const where = image === undefined ? '' : `in ${image}`;
  // The digest stands in the line already.
  const why =
    status === 'corrupt' && problem !== undefined
      ? problem.replace(`Cannot accept ${digest}: `, '')
      : '';
  return [SHOWN[status], digest, formatBytes(size), mediaType ?? '', where, why];
}
