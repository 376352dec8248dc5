import { RegiError } from '../../errors.ts';
import type { Reference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import {
  holdsImages,
  parseLocation,
  type ArchiveLocation,
  type ImagesLocation,
  type LayoutLocation,
  type NamedLocation,
} from '../../targets/location.ts';

/** The images of an archive, a layout or the local store. */
export interface SourcePlace {
  readonly kind: 'place';
  /** As written. */
  readonly text: string;
  readonly location: ImagesLocation | 'local';
  /** The repository or image of the local store; undefined for all. */
  readonly only: Reference | undefined;
}

/** An archive, a layout or the local store, before its `{…}` are filled. */
export interface DestinationPlace {
  readonly kind: 'place';
  readonly text: string;
}

/** Where images of a `DestinationPlace` go, and how they are named there. */
export interface PlaceTarget {
  readonly location: ArchiveLocation | LayoutLocation | NamedLocation;
  /** With `{tag}`; undefined where images keep the full name of their source. */
  readonly name: string | undefined;
}

const FORMS = 'write archive:FILE, oci:DIR or local:';
/** A word that stands in for `{tag}`: braces are no part of a name. */
const TAG_WORD = 'x__tag__x';

/** True if the text begins with the prefix of a place that is no registry. */
export function isPlace(text: string): boolean {
  return /^(?:archive|docker-archive|oci-archive|oci|local|dir):/.test(text);
}

/** @throws {RegiError} on a location that holds no named images, or is malformed. */
export function parseSourcePlace(text: string): SourcePlace {
  if (text === 'local:') return { kind: 'place', text, location: 'local', only: undefined };
  const location = parseLocation(text);
  if (holdsImages(location)) {
    if (location.path === '-') throw invalid(text, 'expected a file, found standard input');
    return { kind: 'place', text, location, only: undefined };
  }
  if (location.kind === 'local')
    return { kind: 'place', text, location: 'local', only: location.reference };
  throw invalid(text, 'expected a place of named images');
}

/**
 * Parses a destination whose placeholders are filled, except for `{tag}`.
 *
 * @throws {RegiError} on a place that cannot be written, or is malformed.
 */
export function parseDestinationPlace(text: string): PlaceTarget | 'local' {
  if (text === 'local:') return 'local';
  const location = parseLocation(text.replaceAll('{tag}', TAG_WORD));
  if (location.kind === 'local') {
    const { domain, path, tag, digest } = location.reference;
    if (digest !== undefined) throw invalid(text, 'expected no digest');
    return {
      location: { kind: 'local', reference: { domain, path } },
      name: (tag ?? '{tag}').replaceAll(TAG_WORD, '{tag}'),
    };
  }
  if (!holdsImages(location)) throw invalid(text, 'expected a place of named images');
  const { kind, path, reference, digest } = location;
  if (path === '-') throw invalid(text, 'expected a file, found standard output');
  if (path.includes(TAG_WORD)) throw invalid(text, 'expected no {tag} in a path');
  if (digest !== undefined) throw invalid(text, 'expected no digest');
  if (kind === 'oci')
    return { location: { kind, path }, name: reference?.replaceAll(TAG_WORD, '{tag}') };
  if (reference !== undefined)
    throw invalid(text, 'expected no name behind the file: images keep the full names of sources');
  return { location: { kind, path }, name: undefined };
}

function invalid(text: string, problem: string): RegiError {
  return new RegiError('INVALID_REFERENCE', `Cannot sync with ${quote(text)}: ${problem}`, {
    hint: FORMS,
  });
}
