import { RegiError } from '../errors.ts';
import { quote, quotePath } from '../quote.ts';

/** The local store's name in messages. */
export const LOCAL_STORE = 'the local store';

/** A name or node that is not in a place of this machine. */
export class NotInStoreError extends RegiError {
  /** @param reference a tag, a full reference or a digest; empty for the only image. */
  constructor(reference: string, place: string, hint: string) {
    super(
      'NOT_FOUND',
      `Cannot find ${reference === '' ? 'an image' : quote(reference)} in ${place === LOCAL_STORE ? place : quotePath(place)}`,
      { hint },
    );
  }
}

/** Names in a hint; more do not help a reader. */
const NAMES_SHOWN = 8;

/** Describes the images of a place for a hint: `it holds "1.0", "1.1" and 3 more`. */
export function describeNames(names: readonly string[]): string {
  if (names.length === 0) return 'it holds no named images';
  const shown = names.slice(0, NAMES_SHOWN).map(quote);
  const rest = names.length - shown.length;
  return `it holds ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
