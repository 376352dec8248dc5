import type { Digest } from '../oci/digest.ts';
import { signatureOf, signedBytes, type Candidate } from './candidate.ts';
import { checkContent, type ContentRule } from './content.ts';
import { verifies, type SigningKey } from './signing-key.ts';
import { refusal, type Refusal } from './verdict.ts';

/**
 * Verifies one candidate with keys alone: steps `signer`, `signature` and `content`. Certificates,
 * log entries and timestamps beside the signature are not looked at.
 *
 * @returns the key that signed `digest`, or the step that refused.
 */
export function verifyWithKeys(
  candidate: Candidate,
  digest: Digest,
  keys: readonly SigningKey[],
  content: ContentRule,
): Refusal | SigningKey {
  if (candidate.form === 'bundle' && candidate.material === 'certificate') {
    return refusal('signer', 'it is signed with a certificate, and the policy asks for a key');
  }
  const signed = signedBytes(candidate);
  const signature = signatureOf(candidate);
  const key = keys.find((one) => verifies(one, signed, signature));
  if (key === undefined) return refusal('signature', 'no key of the policy made its signature');
  return checkContent(candidate, digest, content) ?? key;
}
