import type { Context } from '../context.ts';
import { assertNever } from '../errors.ts';
import { discardUnfinished, unfinishedArchive } from '../stores/archive/writer.ts';
import type { JournalEntry } from '../stores/journal/entry.ts';
import { PartialBlobs } from '../stores/layout/partial-blobs.ts';
import { systemProcesses } from '../disk/processes.ts';
import { localStoreFolder } from './local-folder.ts';
import { journalOf } from './unfinished.ts';

/** What an interrupted command has left. */
export interface Unfinished {
  /** A file, a blob as `oci:/folder@sha256:…`, or `upload to registry.example/team/app@sha256:…`. */
  readonly name: string;
  /** On this machine. */
  readonly bytes: number;
  readonly forget: () => Promise<void>;
}

/** Everything that interrupted commands have left for the next run and that nobody is at work on. */
export async function* findUnfinished(context: Context): AsyncIterable<Unfinished> {
  const entries = await journalOf(context).list();
  for (const entry of entries) yield* unfinishedOf(entry, context);
  const local = localStoreFolder(context.io);
  if (!entries.some(({ subject }) => subject.kind === 'layout' && subject.path === local))
    yield* partialsIn(local, context);
}

async function* unfinishedOf(
  { subject }: JournalEntry,
  context: Context,
): AsyncIterable<Unfinished> {
  const journal = journalOf(context);
  switch (subject.kind) {
    case 'archive': {
      const { io, note, signal } = context;
      const bytes = await unfinishedArchive(subject.path);
      if (bytes === undefined) {
        // Somebody has removed it by hand.
        await journal.remove(subject);
        return;
      }
      const forget = async (): Promise<void> => {
        await discardUnfinished(subject.path, { clock: io.clock, onWait: note, signal });
        await journal.remove(subject);
      };
      yield { name: `${subject.path}.part`, bytes, forget };
      return;
    }
    case 'layout':
      yield* partialsIn(subject.path, context);
      // Whoever is writing there remembers it again.
      if ((await partialsOf(subject.path, context).list()).length === 0)
        await journal.remove(subject);
      return;
    case 'upload':
      yield {
        name: `upload to ${new URL(subject.origin).host}/${subject.repository}@${subject.digest}`,
        bytes: 0,
        forget: () => journal.remove(subject),
      };
      return;
    default:
      assertNever(subject);
  }
}

async function* partialsIn(folder: string, context: Context): AsyncIterable<Unfinished> {
  const partials = partialsOf(folder, context);
  for (const partial of await partials.list()) {
    if (partial.isLeft)
      yield {
        name: `oci:${folder}@${partial.digest}`,
        bytes: partial.size,
        forget: () => partials.remove(partial),
      };
  }
}

function partialsOf(folder: string, { io }: Context): PartialBlobs {
  return new PartialBlobs(folder, { processes: systemProcesses, clock: io.clock });
}
