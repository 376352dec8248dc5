import { RegiError } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import { formatPlatform } from '../../oci/platform.ts';
import {
  attestedDigest,
  chooseEntry,
  platformOfImage,
  PlatformNotFoundError,
  runnableEntries,
} from '../../operations/copy/choose-platform.ts';
import { narrowImage } from '../../operations/copy/narrow-image.ts';
import type { ManifestNode } from '../../operations/copy/read-manifest.ts';
import type { CopySession } from '../../operations/copy/session.ts';
import type { Source } from '../../store.ts';

/** What the platforms of an entry make of an image. */
export interface Narrowed {
  readonly root: Descriptor;
  /** Those of the entry that the image has. */
  readonly platforms: readonly Platform[];
  /** Children of the index that belong to them; undefined where the root is no index. */
  readonly children: readonly Descriptor[] | undefined;
}

/**
 * Narrows an image to the platforms that it has.
 *
 * @returns undefined where it has none of them.
 * @throws {PlatformNotFoundError} when one is missing and all are required.
 */
export async function narrowToPlatforms(
  session: CopySession,
  source: Source,
  found: Descriptor,
  {
    platforms,
    required,
    signal,
  }: {
    readonly platforms: readonly Platform[];
    readonly required: boolean;
    readonly signal: AbortSignal;
  },
): Promise<Narrowed | undefined> {
  const read = (descriptor: Descriptor): Promise<ManifestNode> =>
    session.read(source, descriptor, signal);
  const root = await read(found);
  const { manifest } = root;
  const options = { signal };
  if (manifest.kind === 'image') {
    const own = await session.ask(source, signal, () => platformOfImage(manifest, source, options));
    const has = own === undefined ? platforms : present([{ platform: own }], platforms, required);
    return has.length === 0 ? undefined : { root: found, platforms: has, children: undefined };
  }
  const entries = await runnableEntries(manifest, read, source, options);
  const has = present(entries, platforms, required);
  if (has.length === 0) return undefined;
  const chosen = new Set(has.map((wanted) => chooseEntry(entries, wanted).digest));
  const narrowed = await narrowImage(root, has, read, source, options);
  const children = manifest.manifests.filter((entry) =>
    [entry.digest, attestedDigest(entry)].some((digest) =>
      [...chosen].some((one) => one === digest),
    ),
  );
  return { root: narrowed.descriptor, platforms: has, children };
}

function present(
  entries: readonly { readonly platform: Platform }[],
  wanted: readonly Platform[],
  required: boolean,
): readonly Platform[] {
  return wanted.filter((platform) => {
    try {
      chooseEntry(entries, platform);
      return true;
    } catch (error) {
      if (required || !(error instanceof PlatformNotFoundError)) throw error;
      return false;
    }
  });
}

/** The platforms of an entry as a key: their order means nothing. */
export function platformsKey(platforms: readonly Platform[]): string {
  return platforms
    .map((platform) => formatPlatform(platform))
    .toSorted()
    .join(',');
}

/** The destination refuses an index some of whose children it lacks. */
export function sparseRefused(image: string, cause: RegiError): RegiError {
  return new RegiError(cause.code, `Cannot write ${image} sparse: ${cause.message}`, {
    hint: 'drop "sparse", and the index is narrowed instead; or allow such indexes in the registry',
    cause,
  });
}
