import { referenceIn } from '../oci/reference.ts';

/** True if the text is a reference that says more than one word: a path, a tag or a digest. */
export function readsAsImage(text: string): boolean {
  return /[/:@]/.test(text) && isReference(text);
}

/**
 * True if hardly any other text looks like it: a registry with a "." or a port, a path, and a tag
 * or digest.
 */
export function surelyReadsAsImage(text: string): boolean {
  return /^[^/]*[.:][^/]*\/[^:@]+[:@]/.test(text) && isReference(text);
}

/**
 * True if docker would take the text as a reference. A name of digits alone is a time or a ratio,
 * such as `12:30`.
 */
export function isReference(text: string): boolean {
  return /[a-z]/.test(text) && referenceIn(text) !== undefined;
}
