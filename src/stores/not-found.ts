import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';

/** What the local store is called in messages. */
export const LOCAL_STORE = 'the local store';

/** A name or node that a local place does not hold. */
export class NotInStoreError extends RegiError {
  /** What was asked for: a tag, a full reference or a digest; empty for whatever there is. */
  readonly reference: string;
  readonly place: string;

  constructor(reference: string, place: string, hint: string) {
    super(
      'NOT_FOUND',
      `Cannot find ${reference === '' ? 'an image' : quote(reference)} in ${place === LOCAL_STORE ? place : JSON.stringify(place)}`,
      { hint },
    );
    this.reference = reference;
    this.place = place;
  }
}

/** How many names a hint lists; more do not help a reader. */
const NAMES_SHOWN = 8;

/** What a place holds, for a hint: `it holds "1.0", "1.1" and 3 more`. */
export function describeNames(names: readonly string[]): string {
  if (names.length === 0) return 'it holds no named images';
  const shown = names.slice(0, NAMES_SHOWN).map(quote);
  const rest = names.length - shown.length;
  return `it holds ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
