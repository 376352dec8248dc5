import { basename } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { EXIT_STATUS, RegiError, UsageError } from '../../errors.ts';
import { formatBytes, formatCount } from '../../format.ts';
import {
  verifyImages,
  type FoundProblem,
  type NamedRoot,
  type VerifyOptions,
  type VerifyReport,
} from '../../operations/inspect/verify-image.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { quote } from '../../quote.ts';
import { linesText, styled, type Role, type Styled } from '../../styled.ts';
import { wrapLine } from '../../render/text.ts';
import { pageStyle } from '../../render/page-style.ts';
import { tableLines, type Column } from '../../render/table.ts';
import type { FilePart, Source } from '../../store.ts';
import { holdsImages, isArchive, isWhole, suffixOf } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { SIGNERS } from '../specs/shared.ts';
import { someFailedError } from '../arguments/each-argument.ts';
import { signatureText, verifySignaturesOf, type SignatureRow } from './signatures.ts';

export interface VerifyRow extends VerifyReport {
  /** As typed. */
  readonly location: string;
  /** True for an archive, which can only be replaced as a whole. */
  readonly isArchive: boolean;
}

/** Labels of statuses in text output, in the order of its summary. */
const LABELS: Readonly<Record<FoundProblem['status'], string>> = {
  missing: 'missing',
  corrupt: 'corrupt',
  'absent-in-base': 'absent (in base)',
  absent: 'absent',
  extra: 'extra',
};

/** `regi verify`: checks that all content is present and matches its digest. */
export const verifyCommand: CommandBody<SignatureRow | VerifyRow> = {
  run: (args, context) =>
    flag(args, 'signatures') ? runSignatures(args, context) : runVerify(args, context),
  text: (row, context) =>
    'accepted' in row ? signatureText(row, context) : verifyText(row, context),
  json: (row) => ('accepted' in row ? row : withoutKind(row)),
};

function withoutKind({ isArchive: _isArchive, ...row }: VerifyRow): object {
  return row;
}

/** Flags that would mean nothing beside a check of content. */
const OF_SIGNATURES = [...SIGNERS.map(({ name }) => name), 'as'];

async function* runSignatures(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<SignatureRow> {
  const other = ['deep', 'sparse', 'base'].find((name) => args.options[name] !== undefined);
  if (other !== undefined)
    throw new UsageError(`Cannot use --${other} with --signatures: no content is read`, {
      hint: 'drop it, or check content and signatures one after the other',
    });
  yield* verifySignaturesOf(args, context);
}

async function* runVerify(args: ParsedArguments, context: Context): AsyncIterable<VerifyRow> {
  const other = OF_SIGNATURES.find((name) => value(args, name) !== undefined);
  if (other !== undefined)
    throw new UsageError(`Cannot use --${other} without --signatures`, {
      hint: 'add --signatures',
    });
  const broken: VerifyRow[] = [];
  const failures: RegiError[] = [];
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
        failures.push(error);
        context.onEvent({ kind: 'failed', image: location, error });
      }
    }
  });
  if (broken.length > 0) throw notWhole(broken);
  if (failures.length > 0) throw someFailedError(failures, positionals.length);
}

function notWhole(broken: readonly VerifyRow[]): RegiError {
  const names = broken.map(({ location }) => quote(location)).join(', ');
  const faults = broken
    .flatMap(({ problems }) => problems)
    .filter(({ status }) => status === 'missing' || status === 'corrupt');
  const onlyInBase = faults.length === 0;
  const maybeSparse = faults.every(
    ({ status, mediaType = '' }) => status === 'missing' && isManifestType(mediaType),
  );
  return new RegiError(
    'CONTENT_MISMATCH',
    `Cannot vouch for ${names}: ${onlyInBase ? 'layers are in an earlier archive' : 'content is missing or corrupt'}`,
    {
      hint: onlyInBase
        ? `name that archive too: regi verify ${broken[0]?.location ?? ''} --base OLD.tar`
        : `${remedyOf(broken)}${maybeSparse ? '; or add --sparse if its index was copied sparse' : ''}`,
    },
  );
}

/** A file of an archive on a stick can be copied again; its images cannot be replaced in it. */
function remedyOf(broken: readonly VerifyRow[]): string {
  const damaged = new Set(
    broken.flatMap(({ problems }) =>
      problems.flatMap(({ files }) => files.map(({ path }) => basename(path))),
    ),
  );
  if (damaged.size > 0)
    return `copy ${shortList([...damaged])} here again from where it was exported; if that is damaged too, the medium may be failing: export to another one`;
  return broken.every(({ isArchive }) => isArchive)
    ? 'export the archive again'
    : 'copy the image there again from its source, with --force';
}

async function verifyOne(
  location: string,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): Promise<VerifyRow> {
  const { signal, settings } = context;
  const target = await openVerifyTarget(location, values(args, 'base'), stores, context);
  const { source, roots, isArchive: _, ...rest } = target;
  const { concurrency } = settings;
  const deep = flag(args, 'deep');
  const isSparse = rest.isSparse === true || flag(args, 'sparse');
  let encrypted = 0;
  const onEncrypted = (): void => void (encrypted += 1);
  const options = { ...rest, isSparse, signal, deep, concurrency, onEncrypted };
  const report = await verifyImages(source, roots, options);
  if (encrypted > 0)
    context.warn(`${formatCount(encrypted, 'layer')} not compared with a diff_id: encrypted`);
  return { location, isArchive: target.isArchive, ...report };
}

/** The images to verify: one, or all that a place holds. */
interface VerifyTarget extends Pick<VerifyOptions, 'blobs' | 'isSparse' | 'omitted'> {
  readonly source: Source;
  readonly roots: readonly NamedRoot[];
  readonly isArchive: boolean;
}

/**
 * Opens an argument of `regi verify`.
 *
 * @param bases paths of archives with the layers that an incremental one leaves out.
 * @throws {UsageError} when there are bases, and the argument is no archive.
 */
async function openVerifyTarget(
  text: string,
  bases: readonly string[],
  stores: Stores,
  { io, signal }: Context,
): Promise<VerifyTarget> {
  const location = text === 'local:' ? 'local' : await parseSourceLocation(text, io);
  if (bases.length > 0 && (location === 'local' || !isArchive(location)))
    throw new UsageError(`Cannot use "--base" with ${quote(text)}: expected an archive`, {
      hint: 'drop --base',
    });
  if (location !== 'local' && !holdsImages(location)) {
    const { store, reference } = await stores.open(location, 'source');
    const descriptor = await store.resolve(reference, { signal });
    return { source: store, roots: [{ name: text, descriptor }], isArchive: false };
  }
  const { store, images, unusable, omitted, isSparse, blobs } = await stores.openImages(
    location,
    bases,
  );
  const [unread] = unusable ?? [];
  if (unread !== undefined) throw unread;
  const common = {
    source: store,
    isArchive: location !== 'local' && isArchive(location),
    isSparse,
    omitted: new Set(omitted.map(({ digest }) => digest)),
  };
  if (location === 'local' || isWhole(location))
    return {
      ...common,
      roots: images.map(({ name, root }) => ({ name, descriptor: root })),
      blobs,
    };
  const { tag = '', digest = tag } = suffixOf(location);
  return {
    ...common,
    roots: [{ name: text, descriptor: await store.resolve(digest, { signal }) }],
  };
}

function verifyText(
  { location, whole, images, verified, bytes, problems }: VerifyRow,
  context: Context,
): Styled {
  if (context.settings.quiet && whole) return '';
  const counts = Object.entries(LABELS).flatMap(([status, label]) => {
    const count = problems.filter((found) => found.status === status).length;
    return count === 0 ? [] : [`${count} ${label}`];
  });
  const facts = [
    formatCount(images, 'image'),
    `${formatCount(verified, 'manifest or blob', 'manifests and blobs')} (${formatBytes(bytes)}) verified`,
    ...counts,
  ];
  const style = pageStyle(context);
  const head = [
    styled('name', location.endsWith(':') ? location : `${location}:`),
    ' ',
    styled(whole ? 'good' : 'bad', whole ? 'whole' : 'not whole'),
    `: ${facts.join(', ')}`,
  ];
  const inner = { ...style, columns: style.columns - INDENT.length };
  const lines = tableLines(PROBLEMS, problems.map(cellsOf), inner);
  return linesText([...wrapLine(head, style), ...lines.map((line) => [INDENT, line])]);
}

const INDENT = '  ';

const PROBLEMS: readonly Column[] = [
  {},
  { role: 'detail', isDigest: true },
  { role: 'detail', align: 'right', rank: 2 },
  { rank: 3 },
  { isDigest: true },
  {},
];

/** Roles of statuses that are no fault of this place. */
const ROLES: Readonly<Record<FoundProblem['status'], Role>> = {
  missing: 'bad',
  corrupt: 'bad',
  'absent-in-base': 'changed',
  absent: 'changed',
  extra: 'changed',
};

function cellsOf({
  status,
  digest,
  size,
  mediaType,
  images,
  files,
  problem,
}: FoundProblem): readonly Styled[] {
  const where = images.length === 0 ? '' : `in ${shortList(images)}`;
  // The row shows the digest already.
  const why =
    status === 'corrupt' && problem !== undefined
      ? [...placeOf(files), problem.replace(`Cannot accept ${digest}: `, '')].join(': ')
      : '';
  return [
    styled(ROLES[status], LABELS[status]),
    digest,
    formatBytes(size),
    mediaType ?? '',
    where,
    why,
  ];
}

/** `at byte 512 of images.tar.002`; empty where the place is unknown. */
function placeOf(files: readonly FilePart[]): readonly string[] {
  const [first] = files;
  const last = files.at(-1);
  if (first === undefined || last === undefined) return [];
  const start = `byte ${first.offset} of ${basename(first.path)}`;
  return files.length === 1
    ? [`at ${start}`]
    : [`from ${start} to byte ${last.offset + last.size - 1} of ${basename(last.path)}`];
}

/** As many names as a line of a table has room for; `--json` has all. */
function shortList(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

const SHOWN_NAMES = 4;
