import type { Context } from '../context.ts';
import type { Connection } from '../registry/connection.ts';
import type { UploadJournal } from '../registry/upload/journal.ts';
import { unfinishedArchive } from '../stores/archive/writer.ts';
import { Journal } from '../stores/journal/journal.ts';
import type { JournalSubject } from '../stores/journal/entry.ts';
import { PartialBlobs } from '../stores/layout/partial-blobs.ts';
import { systemProcesses } from '../disk/processes.ts';
import { createUploadJournal } from '../stores/journal/upload-journal.ts';
import type { WriteArchive } from '../tar/archive-target.ts';
import { stateFolder } from './local-folder.ts';

const JOURNALS = new WeakMap<Context, Journal>();
const TOLD = new WeakSet<Context>();

/** The journal of a command: what it begins and may not finish. */
export function journalOf(context: Context): Journal {
  const known = JOURNALS.get(context);
  if (known !== undefined) return known;
  const { io, log } = context;
  const journal = new Journal(stateFolder(io), {
    clock: io.clock,
    processes: systemProcesses,
    onFailure: log,
  });
  JOURNALS.set(context, journal);
  return journal;
}

/** Tells once that running the command again is cheaper than it seems. */
export function tellKept(context: Context): void {
  if (TOLD.has(context)) return;
  TOLD.add(context);
  context.note(
    'What has arrived is kept: run the same command again to go on; `regi prune --journal` forgets it',
  );
}

/** The same, remembered until it is finished. @param path of the archive, absolute. */
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

/** What a layout is opened with, so that blobs which are not whole are remembered until they are. */
export interface JournaledLayout {
  readonly onPartial: () => Promise<void>;
  /** At the end of the command. */
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
      const partials = await new PartialBlobs(path, {
        processes: systemProcesses,
        clock: context.io.clock,
      }).list();
      if (partials.length > 0) tellKept(context);
      else await journal.remove(subject);
    },
  };
}

/** Uploads to one repository, remembered until they are finished. */
export interface JournaledUploads {
  readonly journal: UploadJournal;
  /** At the end of the command. */
  readonly close: () => void;
}

export function journaledUploads(
  connection: Connection,
  repository: string,
  context: Context,
): JournaledUploads {
  let unfinished = 0;
  const onChange = (remembered: number): void => {
    unfinished = remembered;
  };
  const journal = createUploadJournal({
    journal: journalOf(context),
    origin: () => connection.origin(),
    repository,
    onChange,
  });
  return { journal, close: () => void (unfinished > 0 && tellKept(context)) };
}
