import { RegiError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';

/** The registry holds other bytes under a name than it should. */
export class WrongDigestError extends RegiError {
  readonly code = 'CONTENT_MISMATCH';
  readonly expected: Digest;
  readonly found: Digest;

  constructor(action: string, expected: Digest, found: Digest) {
    super(`${action}: expected ${expected}, found ${found}`, { hint: 'the registry, or something before it, changes what it holds; do not use this image' });
    this.expected = expected;
    this.found = found;
  }
}
