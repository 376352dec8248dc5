import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import {
  isTag,
  parseTag,
  referenceIn,
  repositoryName,
  type Reference,
  type Repository,
} from '../../oci/reference.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { quote } from '../../quote.ts';
import type { CallOptions, Source } from '../../store.ts';
import { isArchive, type Location } from '../../targets/location.ts';
import { openGate } from '../../targets/open-gate.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { isCarried } from '../../trust/collect.ts';
import type { Gate } from '../../trust/gate.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { filePlaceOf } from '../../targets/file-place.ts';

/** An image, and the name that decides which rule holds for it. */
export interface Decided {
  /** The name that the operator gave it; undefined where only a file names it. */
  readonly name: Reference | undefined;
  /** The image as typed, for messages. */
  readonly text: string;
  /** Where it is read from. A policy.json has rules for files. */
  readonly location?: Location | undefined;
}

/**
 * Opens the gate of one image.
 *
 * @throws {RegiError} POLICY_REFUSED where no scope covers the image; {UsageError} for a rule that
 *   cannot be applied.
 */
export async function gateFor(
  policy: TrustPolicy,
  { name, text, location }: Decided,
  stores: Stores,
): Promise<Gate> {
  const found = policy.ruleFor(name ?? NAMELESS, location && filePlaceOf(location));
  if (found === undefined)
    throw new RegiError(
      'POLICY_REFUSED',
      `Cannot accept ${quote(text)}: no scope of the policy covers it`,
      {
        hint:
          name === undefined
            ? 'names inside a file are not trusted: give a destination with a registry, or --as NAME, or --key'
            : 'add a scope for its repository to the policy',
      },
    );
  return openGate(found, text, stores);
}

/** One copy, as the policy sees it. */
export interface Copying {
  readonly source: Location;
  /** Undefined for an archive that is made of several images. */
  readonly destination?: Location | undefined;
  /** The source as typed, for messages. */
  readonly text: string;
  /** The name of an image of an archive. */
  readonly fullName?: Reference | undefined;
  /** False where the image of a registry is taken from the local store. */
  readonly isRemote?: boolean | undefined;
  /** The tag, where the source names a repository whose tags are copied. */
  readonly tag?: string | undefined;
}

/** Opens the gate of one copy; undefined without a policy. @throws as `gateFor()`. */
export async function gateOfCopy(
  policy: TrustPolicy | undefined,
  copying: Copying,
  stores: Stores,
): Promise<Gate | undefined> {
  if (policy === undefined) return undefined;
  const { text, fullName } = copying;
  const { source: location } = copying;
  const gate = await gateFor(policy, { name: decidingName(copying), text, location }, stores);
  return { ...gate, repository: fullName && repositoryName(fullName) };
}

/** True for a manifest of signatures alone, which moves along with its image. */
export async function isSignature(
  store: Source,
  root: Descriptor,
  options?: CallOptions,
): Promise<boolean> {
  try {
    const { manifest } = await readManifest(store, root, options);
    return manifest.kind === 'image' && isCarried(manifest);
  } catch (error) {
    // The copy reports what is wrong with it.
    if (error instanceof RegiError) return false;
    throw error;
  }
}

/**
 * The name of an image that only a file names. No scope covers it, except for a policy of one rule.
 */
const NAMELESS: Repository = { domain: '', path: '' };

/**
 * Returns the name that decides: that of the source in a registry, as typed, and else that of the
 * destination. Names inside an archive, a layout or the local store may be those of an attacker.
 */
function decidingName({ source, destination, isRemote, tag }: Copying): Reference | undefined {
  if (source.kind === 'registry' && isRemote === true)
    return tag === undefined ? source.reference : { ...source.reference, tag: parseTag(tag) };
  if (destination === undefined) return undefined;
  if (destination.kind === 'registry' || destination.kind === 'local') return destination.reference;
  if (!isArchive(destination) || destination.reference === undefined) return undefined;
  return isTag(destination.reference) ? undefined : referenceIn(destination.reference);
}
