import { algorithmOf, encodedOf, type Digest } from '../oci/digest.ts';

/**
 * The tag whose index lists the referrers of `subject` where the registry has no referrers API. Of a sha512 digest it holds only
 * the first 64 hex digits.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
 */
export function referrersTag(subject: Digest): string {
  return `${algorithmOf(subject).slice(0, 32)}-${encodedOf(subject).slice(0, 64)}`;
}
