import type { Descriptor } from '../../oci/descriptor.ts';
import type { UploadJournal } from '../../registry/remote-repository.ts';
import type { UploadSubject } from './entry.ts';
import type { Journal } from './journal.ts';

export interface UploadJournalOptions {
  readonly journal: Journal;
  /** Scheme, host and port of the registry; undefined before its first response. */
  readonly origin: () => string | undefined;
  readonly repository: string;
  /** Called with the number of recorded uploads of the repository. */
  readonly onChange?: ((remembered: number) => void) | undefined;
}

/**
 * Makes the journal of one repository's uploads. A location on another origin than the registry's
 * own is not recorded.
 */
export function createUploadJournal({
  journal,
  origin,
  repository,
  onChange,
}: UploadJournalOptions): UploadJournal {
  const remembered = new Set<string>();
  const subjectOf = (
    { digest, size }: Descriptor,
    location = '',
    offset = 0,
  ): UploadSubject | undefined => {
    const own = origin();
    return own === undefined
      ? undefined
      : { kind: 'upload', origin: own, repository, digest, size, location, offset };
  };
  const notify = (): void => onChange?.(remembered.size);
  return {
    async find(target) {
      const subject = subjectOf(target);
      const found = subject === undefined ? undefined : (await journal.find(subject))?.subject;
      if (found?.kind !== 'upload') return undefined;
      return new URL(found.location);
    },
    async write(target, location, offset) {
      const subject = subjectOf(target, location.href, offset);
      if (subject === undefined || location.origin !== subject.origin) return;
      remembered.add(target.digest);
      notify();
      await journal.write(subject);
    },
    async remove(target) {
      const subject = subjectOf(target);
      if (subject === undefined) return;
      if (remembered.delete(target.digest)) notify();
      await journal.remove(subject);
    },
  };
}
