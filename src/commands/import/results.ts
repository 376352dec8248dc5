import type { Context } from '../../context.ts';
import { UNREADABLE, RegiError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import { subjectsOf } from '../../operations/referrers/walk.ts';
import { CopySession } from '../../operations/copy/session.ts';
import type { Source } from '../../store.ts';
import { linesText, styled, type Role, type Styled } from '../../styled.ts';
import { pageStyle, type PageStyle } from '../../render/page-style.ts';
import { tableLines, type Column } from '../../render/table.ts';
import type { PlannedImport } from './names.ts';

/** An image of the archive at its destination. */
interface ListedImport extends Pick<PlannedImport, 'entry' | 'label'> {
  /** The destination with tag or digest. */
  readonly image: string;
  /** The destination without them. */
  readonly name: string;
  /** The digest of the manifest that a referrer is about. */
  readonly subject: string | undefined;
}

/** A result for each image that has ended, by its name at the destination. */
export type Results = ReadonlyMap<string, string>;

/** An image of the table, with its referrers that ended well. */
interface ImportLine {
  readonly image: ListedImport;
  readonly result: string;
  readonly referrers: readonly string[];
}

/** True if the table of results takes the place of the rows. */
export function showsTable(imports: readonly ListedImport[], context: Context): boolean {
  return imports.length > 1 && !context.settings.json && pageStyle(context).isPiped !== true;
}

/** Formats the table of results for a terminal: one line for each image. */
export async function resultsTable(
  imports: readonly ListedImport[],
  results: Results,
  source: Source,
  context: Context,
): Promise<Styled> {
  const lines = await importLines(imports, results, source, context);
  const columns: readonly Column[] = [
    { title: 'NAME', isDigest: true, keepsEnd: true, rank: 2 },
    { title: 'DESTINATION', role: 'name', isDigest: true, keepsEnd: true },
    { title: 'DIGEST', role: 'detail', isDigest: true, rank: 1 },
    { title: 'RESULT' },
  ];
  const rows = lines.map((line) => [
    line.image.label,
    line.image.image,
    line.image.entry.root.digest,
    resultCell(line),
  ]);
  return linesText(tableLines(columns, rows, pageStyle(context)));
}

/** Notes the results of several images beside the rows of a pipe. One image needs only its row. */
export async function noteResults(
  imports: readonly ListedImport[],
  results: Results,
  source: Source,
  context: Context,
): Promise<void> {
  if (imports.length < 2 || results.size === 0) return;
  const lines = await importLines(imports, results, source, context);
  const rows = lines.map((line) => [line.image.label, line.image.image, resultCell(line)]);
  const style: PageStyle = pageStyle(context, 'stderr');
  for (const line of tableLines(NOTED, rows, style)) context.note(line);
}

const NOTED: readonly Column[] = [
  { title: 'NAME', isDigest: true, keepsEnd: true, rank: 1 },
  { title: 'DESTINATION', role: 'name', isDigest: true, keepsEnd: true },
  { title: 'RESULT' },
];

const NOT_BEGUN = 'not begun';
/** Results of referrers that need no line of their own. */
const GOOD: ReadonlySet<string> = new Set(['copied', 'unchanged', 'would be copied']);

/** Counts referrers in the lines of their images. */
async function importLines(
  imports: readonly ListedImport[],
  results: Results,
  source: Source,
  { signal }: Context,
): Promise<readonly ImportLine[]> {
  const resultOf = ({ image }: ListedImport): string => results.get(image) ?? NOT_BEGUN;
  const images = imports.filter(({ subject }) => subject === undefined);
  const referrers = imports.filter(({ subject }) => subject !== undefined);
  const owners = new Map<string, ListedImport>();
  if (referrers.length > 0 && !signal.aborted)
    for (const image of images)
      for (const digest of await digestsIn(image, source, signal))
        owners.set(keyIn(image, digest), image);
  const ownerOf = (referrer: ListedImport, depth = 0): ListedImport | undefined => {
    const subject = referrer.subject ?? '';
    const above = referrers.find(({ entry }) => entry.root.digest === subject);
    return (
      owners.get(keyIn(referrer, subject)) ??
      (above === undefined || depth > referrers.length ? undefined : ownerOf(above, depth + 1))
    );
  };
  const counted = new Map<ListedImport | undefined, ListedImport[]>();
  const alone: ListedImport[] = [];
  for (const referrer of referrers) {
    const owner = GOOD.has(resultOf(referrer)) ? ownerOf(referrer) : undefined;
    if (owner === undefined) alone.push(referrer);
    else counted.set(owner, [...(counted.get(owner) ?? []), referrer]);
  }
  return [...images, ...alone].map((image) => ({
    image,
    result: resultOf(image),
    referrers: (counted.get(image) ?? []).map(resultOf),
  }));
}

/** The repository belongs to the key: two repositories may share an image, and not its referrers. */
function keyIn({ name }: ListedImport, digest: string): string {
  return `${name} ${digest}`;
}

/** Returns the digests of an image and of the manifests in its index. */
async function digestsIn(
  { entry: { root } }: ListedImport,
  source: Source,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const session = new CopySession();
  try {
    const node = await session.read(source, root, signal);
    return (await subjectsOf(session, source, node, signal)).map(({ digest }) => digest);
  } catch (error) {
    signal.throwIfAborted();
    // Its own line says what is wrong with it.
    if (error instanceof RegiError && UNREADABLE.has(error.code)) return [root.digest];
    throw error;
  }
}

/** Results other than a success. */
const ROLES: Readonly<Record<string, Role>> = {
  failed: 'bad',
  kept: 'changed',
  [NOT_BEGUN]: 'changed',
  unchanged: 'detail',
};

/** `copied with 2 referrers`, or `unchanged; 2 referrers copied`. */
function resultCell({ result, referrers }: ImportLine): Styled {
  const own = styled(ROLES[result] ?? 'good', result);
  const others = [...new Set(referrers)].filter((other) => other !== result);
  const count = (wanted: string): string =>
    formatCount(referrers.filter((other) => other === wanted).length, 'referrer');
  return [
    own,
    ...(referrers.includes(result) ? [` with ${count(result)}`] : []),
    ...others.map((other) => `; ${count(other)} ${other}`),
  ];
}
