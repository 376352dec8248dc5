import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { RegiError } from '../errors.ts';
import { parseReference } from '../oci/reference.ts';
import type { CopyJob } from '../operations/copy-image.ts';
import { tagFilter } from '../operations/select-tags.ts';
import { canListTags } from '../store.ts';
import { UsageError } from '../usage-error.ts';
import { flag, positional, value, values } from './arguments.ts';
import { parseLocation, type Location } from './location.ts';
import type { OpenedStore, Stores } from './open-store.ts';

/** A job, and the destination's name without its tag. */
export interface NamedJob extends CopyJob {
  readonly name: string;
  /** The only image of the command. */
  readonly alone: boolean;
}

/** A list of images to copy may be long, and is never this long. Bytes. */
const LIST_LIMIT_BYTES = 16 * 1024 * 1024;

/** The images that a command line names, in its order, found as they are needed. */
export async function* copyJobs(args: ParsedArguments, stores: Stores, context: Context, onJob: (job: NamedJob) => void): AsyncIterable<NamedJob> {
  for await (const job of findJobs(args, stores, context)) {
    onJob(job);
    yield job;
  }
}

async function* findJobs(args: ParsedArguments, stores: Stores, context: Context): AsyncIterable<NamedJob> {
  const patterns = values(args, 'tags');
  const whole = flag(args, 'all-tags') || patterns.length > 0;
  const list = value(args, 'from');
  if (list !== undefined) {
    if (whole) throw new UsageError('Cannot use --from together with --all-tags or --tags', { hint: 'name the tags in the file, a line each' });
    yield* listedJobs(list, args.positionals[0], stores, context);
    return;
  }
  const source = parseLocation(positional(args, 0, 'a source'));
  const destination = parseLocation(positional(args, 1, 'a destination'));
  if (whole) yield* tagJobs(source, destination, patterns, stores, context);
  else yield await oneJob(source, destination, stores, true);
}

async function oneJob(source: Location, destination: Location, stores: Stores, alone: boolean): Promise<NamedJob> {
  const from = await stores.open(source, 'source');
  const to = await stores.open(destination, 'destination');
  const tag = to.tag ?? (to.pinned === undefined ? (to.defaultTag ?? from.tag) : undefined);
  return job(from, to, { reference: from.reference, tag }, alone);
}

async function* tagJobs(source: Location, destination: Location, patterns: readonly string[], stores: Stores, context: Context): AsyncIterable<NamedJob> {
  refuseTag(source);
  refuseTag(destination);
  const from = await stores.open(source, 'source');
  const to = await stores.open(destination, 'destination');
  const accepts = tagFilter(patterns);
  let found = false;
  for await (const tag of listTags(from, context.signal)) {
    if (!accepts(tag)) continue;
    found = true;
    yield job(from, to, { reference: tag, tag }, false);
  }
  if (!found) throw new NoTagError(from.name, patterns);
}

/** Nothing to copy is a mistake, not a success. */
class NoTagError extends RegiError {
  readonly code = 'NOT_FOUND';

  constructor(name: string, patterns: readonly string[]) {
    super(
      patterns.length === 0
        ? `Cannot find any tag in "${name}"`
        : `Cannot find a tag in "${name}" that matches ${patterns.map((pattern) => JSON.stringify(pattern)).join(' ')}`,
      {
        hint: `see what is there: regi tags list ${name}`,
      },
    );
  }
}

/** Lines of `SRC [DST]`; empty lines and those that begin with # are passed over. */
async function* listedJobs(file: string, prefix: string | undefined, stores: Stores, context: Context): AsyncIterable<NamedJob> {
  const text = await readList(file, context);
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const lineOf = new Map<string, number>();
  for (const [index, line] of lines.entries()) {
    const [from = '', to = prefixed(from, prefix, index + 1), extra] = line.split(/\s+/);
    if (extra !== undefined) throw new UsageError(`Cannot read line ${index + 1} of ${file}: expected "SRC [DST]", found ${JSON.stringify(line)}`);
    const next = await oneJob(parseLocation(from), parseLocation(to), stores, lines.length === 1);
    const earlier = lineOf.get(next.image);
    if (earlier !== undefined) throw new UsageError(`Cannot copy two images to "${next.image}": lines ${earlier} and ${index + 1} of ${file} both name it`);
    lineOf.set(next.image, index + 1);
    yield next;
  }
}

function prefixed(from: string, prefix: string | undefined, line: number): string {
  if (prefix === undefined) {
    throw new UsageError(`Cannot read line ${line}: expected a destination beside ${JSON.stringify(from)}`, {
      hint: 'write one on the line, or give a PREFIX to the command',
    });
  }
  const { path, tag, digest } = parseReference(from.replace(/^docker:\/\//, ''));
  return `${prefix.replace(/\/$/, '')}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined || tag !== undefined ? '' : `@${digest}`}`;
}

async function readList(file: string, { io, signal }: Context): Promise<string> {
  if (file === '-') return io.stdin.read(LIST_LIMIT_BYTES);
  try {
    return await readFile(resolve(io.cwd, file), { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new ListUnreadableError(file, cause);
  }
}

class ListUnreadableError extends RegiError {
  readonly code = 'NOT_FOUND';

  constructor(file: string, cause: unknown) {
    super(`Cannot read the list "${file}": ${cause instanceof Error ? cause.message : 'unknown reason'}`, {
      hint: 'give a file with one "SRC [DST]" a line, or - for standard input',
      cause,
    });
  }
}

function job(from: OpenedStore, to: OpenedStore, { reference, tag }: { reference: string; tag: string | undefined }, alone: boolean): NamedJob {
  const image = tag === undefined ? to.name : `${to.name}:${tag}`;
  return { source: from.store, reference, destination: to.store, tag, pinned: to.pinned, image, name: to.name, alone };
}

function listTags(from: OpenedStore, signal: AbortSignal): AsyncIterable<string> {
  if (!canListTags(from.store)) throw new UsageError(`Cannot list the tags of "${from.name}"`, { hint: 'name one tag' });
  return from.store.listTags({ signal });
}

function refuseTag(location: Location): void {
  const { reference } = location;
  const named = typeof reference === 'object' ? (reference.tag ?? reference.digest) : reference;
  if (named === undefined) return;
  throw new UsageError(`Cannot copy many tags with "${named}" in a name: expected a repository`, {
    hint: 'leave out the tag, or leave out --all-tags and --tags',
  });
}
