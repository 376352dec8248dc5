import type { Context } from '../context.ts';
import { systemProcesses } from '../disk/processes.ts';
import { assertNever } from '../errors.ts';
import { discardUnfinished, unfinishedArchive } from '../stores/archive/writer.ts';
import type { JournalEntry, JournalSubject } from '../stores/journal/entry.ts';
import { PartialBlobs } from '../stores/layout/partial-blobs.ts';
import type { WriteArchive } from '../tar/archive-target.ts';
import { journalOf, tellKept } from './journal.ts';
import { localStoreFolder } from './local.ts';

/** Records an archive in the journal until it is finished. @param path of the archive, absolute. */
export function journaledArchive(
  path: string,
  write: WriteArchive,
  context: Context,
): WriteArchive {
  const journal = journalOf(context);
  const subject: JournalSubject = { kind: 'archive', path };
  return async (plan, work) => {
    try {
      await write(plan, async (target) => {
        if (target.kind === 'file') await journal.write(subject);
        await work(target);
      });
      await journal.remove(subject);
    } catch (error) {
      if ((await unfinishedArchive(path)) !== undefined) tellKept(context);
      else await journal.remove(subject);
      throw error;
    }
  };
}

/** Records a layout in the journal while blobs in it are partial. */
export interface JournaledLayout {
  readonly onPartial: () => Promise<void>;
  /** To be called at the end of the command. */
  readonly close: () => Promise<void>;
}

/** @param path of the layout, absolute. */
export function journaledLayout(path: string, context: Context): JournaledLayout {
  const journal = journalOf(context);
  const subject: JournalSubject = { kind: 'layout', path };
  let isBegun = false;
  return {
    async onPartial() {
      isBegun = true;
      await journal.write(subject);
    },
    async close() {
      if (!isBegun) return;
      if ((await partialsOf(path, context).list()).length > 0) tellKept(context);
      else await journal.remove(subject);
    },
  };
}

/** Data that an interrupted command has left. */
export interface Unfinished {
  /**
   * A file, a blob as `oci:/folder@sha256:…`, or `upload to registry.example/team/app@sha256:…`.
   */
  readonly name: string;
  /** Size on this machine, in bytes. */
  readonly bytes: number;
  readonly forget: () => Promise<void>;
}

/** Lists the data that interrupted commands have left, without that of running commands. */
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
  const remove = (): Promise<void> => journal.remove(subject);
  switch (subject.kind) {
    case 'archive': {
      const { io, note, signal } = context;
      const bytes = await unfinishedArchive(subject.path);
      // A person may have removed the file.
      if (bytes === undefined) return remove();
      const forget = async (): Promise<void> => {
        await discardUnfinished(subject.path, { clock: io.clock, onWait: note, signal });
        await remove();
      };
      yield { name: `${subject.path}.part`, bytes, forget };
      return;
    }
    case 'layout':
      yield* partialsIn(subject.path, context);
      // A process that is writing there records it again.
      if ((await partialsOf(subject.path, context).list()).length === 0) await remove();
      return;
    case 'upload': {
      const name = `${new URL(subject.origin).host}/${subject.repository}@${subject.digest}`;
      yield { name: `upload to ${name}`, bytes: 0, forget: remove };
      return;
    }
    default:
      assertNever(subject);
  }
}

async function* partialsIn(folder: string, context: Context): AsyncIterable<Unfinished> {
  const partials = partialsOf(folder, context);
  for (const partial of await partials.list())
    if (partial.isLeft)
      yield {
        name: `oci:${folder}@${partial.digest}`,
        bytes: partial.size,
        forget: () => partials.remove(partial),
      };
}

function partialsOf(folder: string, { io }: Context): PartialBlobs {
  return new PartialBlobs(folder, { processes: systemProcesses, clock: io.clock });
}
