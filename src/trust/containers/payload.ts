import * as z from 'zod/mini';

import type { Digest } from '../../oci/digest.ts';
import type { Reference } from '../../oci/reference.ts';
import { strictJson } from '../strict-text.ts';
import { refusal, type Refusal } from '../verdict.ts';
import { matchesIdentity, type SignedIdentity } from './signed-identity.ts';

/** `critical.type` of a GPG signature, and of a sigstore signature. */
export type PayloadType = 'atomic container signature' | 'cosign container image signature';

export interface ExpectedPayload {
  readonly type: PayloadType;
  readonly digest: Digest;
  readonly identity: SignedIdentity;
  /** The image that the policy is asked about; undefined for one of a file. */
  readonly image: Reference | undefined;
}

/** Every member has to be there and no other, as podman and skopeo read it. */
const Payload = z.strictObject({
  critical: z.strictObject({
    type: z.string(),
    image: z.strictObject({ 'docker-manifest-digest': z.string() }),
    identity: z.strictObject({ 'docker-reference': z.string() }),
  }),
  optional: z.nullable(
    z.looseObject({ creator: z.optional(z.string()), timestamp: z.optional(z.int()) }),
  ),
});

/**
 * Checks that signed bytes are about the image, under the name that the policy expects.
 *
 * @see https://github.com/containers/image/blob/v5.36.2/docs/containers-signature.5.md
 */
export function checkPayload(
  bytes: Uint8Array,
  { type, digest, identity, image }: ExpectedPayload,
): Refusal | undefined {
  const json = strictJson(bytes);
  const parsed = json === undefined ? undefined : z.safeParse(Payload, json.value);
  if (parsed?.success !== true) return refusal('content', 'its payload is no simple signing');
  const { critical, optional } = parsed.data;
  if (critical.type !== type || (optional === null && type === 'atomic container signature'))
    return refusal('content', `its payload is no ${type}`);
  if (critical.image['docker-manifest-digest'] !== digest)
    return refusal('content', 'it signs another image');
  const stated = critical.identity['docker-reference'];
  if (!matchesIdentity(identity, image, stated))
    return refusal('content', `it is of the name ${JSON.stringify(stated)} (${identity.type})`);
  return undefined;
}
