import {
  formatReference,
  referenceIn,
  repositoryName,
  type Reference,
} from '../../oci/reference.ts';

/** The name that a signature has to state, as `signedIdentity` of policy.json says. */
export type SignedIdentity =
  | { readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { readonly type: 'exactReference' | 'exactRepository'; readonly name: Reference }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string };

/**
 * True if a signature that states `stated` may be one of the image.
 *
 * @param image by its tag or by its digest; undefined for an image of a file, which only the two
 *   exact types can match.
 * @see https://github.com/containers/image/blob/v5.36.2/signature/policy_reference_match.go
 */
export function matchesIdentity(
  identity: SignedIdentity,
  image: Reference | undefined,
  stated: string,
): boolean {
  const signed = referenceIn(stated);
  if (signed === undefined) return false;
  switch (identity.type) {
    case 'exactReference':
      return hasSuffix(signed) && isSame(identity.name, signed);
    case 'exactRepository':
      return repositoryName(identity.name) === repositoryName(signed);
    case 'matchExact':
      return image !== undefined && hasSuffix(signed) && isSame(image, signed);
    case 'matchRepository':
      return image !== undefined && repositoryName(image) === repositoryName(signed);
    case 'matchRepoDigestOrExact':
      return image !== undefined && matchesRepoDigestOrExact(image, signed);
    case 'remapIdentity': {
      const mapped = image && remapped(image, identity);
      return mapped !== undefined && matchesRepoDigestOrExact(mapped, signed);
    }
  }
}

function matchesRepoDigestOrExact(image: Reference, signed: Reference): boolean {
  if (!hasSuffix(signed)) return false;
  if (image.tag !== undefined) return isSame(image, signed);
  // The digest itself is compared with the signed one elsewhere.
  return image.digest !== undefined && repositoryName(image) === repositoryName(signed);
}

/** Returns undefined where the new prefix makes no reference. */
function remapped(
  image: Reference,
  { prefix, signedPrefix }: { readonly prefix: string; readonly signedPrefix: string },
): Reference | undefined {
  const name = repositoryName(image);
  // Whole components: "a/b" is no prefix of "a/bc".
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image;
  const text = `${signedPrefix}${formatReference(image).slice(prefix.length)}`;
  const found = referenceIn(text);
  // A short name would get the domain of Docker Hub.
  return found !== undefined && formatReference(found) === text ? found : undefined;
}

function hasSuffix({ tag, digest }: Reference): boolean {
  return tag !== undefined || digest !== undefined;
}

function isSame(one: Reference, other: Reference): boolean {
  return formatReference(one) === formatReference(other);
}
