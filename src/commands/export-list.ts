import { RegiError } from '../errors.ts';
import { parseReference, withDefaultTag, type Reference } from '../oci/reference.ts';
import { ListLineError } from './copy-list.ts';
import { parseLocation, type Location } from '../locations/location.ts';

/** A line of a list of images to export. */
export interface ListedExport {
  readonly source: Location;
  /** As typed. */
  readonly text: string;
  /** What the image is called in the archive, if the line says so. */
  readonly name: Reference | undefined;
}

/**
 * Parses a list of `REF [NAME]`, one a line; empty lines and those that begin with # are passed over.
 *
 * @param list its name, for messages.
 * @throws {ListLineError} at the first line that is none.
 */
export function parseExportList(text: string, list: string): readonly ListedExport[] {
  return text.split('\n').flatMap((whole, index) => {
    const words = whole.trim().split(/\s+/);
    const [source = '', name, extra] = words;
    if (source === '' || source.startsWith('#')) return [];
    const line = index + 1;
    if (extra !== undefined) {
      const problem = `expected "REF [NAME]", found ${words.length} words`;
      throw new ListLineError({ name: list, line, problem, hint: 'write an image and, with a blank between, what it is to be called' });
    }
    try {
      return [{ source: parseLocation(source), text: source, name: name === undefined ? undefined : withDefaultTag(parseReference(name)) }];
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      throw new ListLineError({ name: list, line, problem: error.message, hint: error.hint }, error);
    }
  });
}
