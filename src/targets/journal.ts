import type { Context } from '../context.ts';
import { systemProcesses } from '../disk/processes.ts';
import type { Connection } from '../registry/connection.ts';
import type { UploadJournal } from '../registry/remote-repository.ts';
import { Journal } from '../stores/journal/journal.ts';
import { createUploadJournal } from '../stores/journal/upload-journal.ts';
import { stateFolder } from './local.ts';

const JOURNALS = new WeakMap<Context, Journal>();
const TOLD = new WeakSet<Context>();

/** Returns the journal of a command: the work that it began and may not finish. */
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

/** Notes once a command that running it again resumes. */
export function tellKept(context: Context): void {
  if (TOLD.has(context)) return;
  TOLD.add(context);
  context.note(
    'Partial data is kept: run the same command again to resume; `regi prune --journal` discards it',
  );
}

/** Records the uploads to one repository in the journal until they are finished. */
export interface JournaledUploads {
  readonly journal: UploadJournal;
  /** To be called at the end of the command. */
  readonly close: () => void;
}

export function journaledUploads(
  connection: Connection,
  repository: string,
  context: Context,
): JournaledUploads {
  let unfinished = 0;
  const journal = createUploadJournal({
    journal: journalOf(context),
    origin: () => connection.origin(),
    repository,
    onChange(remembered) {
      unfinished = remembered;
    },
  });
  return { journal, close: () => void (unfinished > 0 && tellKept(context)) };
}
