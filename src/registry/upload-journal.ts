import type { Descriptor } from '../oci/descriptor.ts';

/** Remembers the uploads of one repository that are not finished, for the next run. It never fails: it only saves bytes. */
export interface UploadJournal {
  /** Where an upload of `target` may go on that an earlier run has left: a URL on the registry's own origin. */
  find(target: Descriptor): Promise<URL | undefined>;
  /** @param offset bytes that the registry was known to have. */
  write(target: Descriptor, location: URL, offset: number): Promise<void>;
  /** `target` is there, or is not to be uploaded any more. */
  remove(target: Descriptor): Promise<void>;
}
