import { RegiError } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { CallOptions, Source } from '../../store.ts';
import { chooseEntry, platformOfImage, runnableEntries } from './choose-platform.ts';
import { readManifest } from './read-manifest.ts';

/**
 * What a name points at; with a platform, the manifest of that platform.
 *
 * @throws {PlatformNotFoundError} when the image has no such platform.
 */
export async function resolveImage(
  source: Source,
  reference: string,
  platform: Platform | undefined,
  options: CallOptions = {},
): Promise<Descriptor> {
  const root = await source.resolve(reference, options);
  if (platform === undefined) return root;
  const { manifest } = await readManifest(source, root, options);
  if (manifest.kind === 'index') {
    const entries = await runnableEntries(
      manifest,
      async (child) => readManifest(source, child, options),
      source,
      options,
    );
    return chooseEntry(entries, platform);
  }
  const own = await platformOfImage(manifest, source, options);
  if (own !== undefined) chooseEntry([{ platform: own }], platform);
  return root;
}

/** What a name points at, or undefined where the store proves that it has no such name. Any doubt is an error. */
export async function resolveIfThere(
  store: Source,
  reference: string,
  options: CallOptions = {},
): Promise<Descriptor | undefined> {
  try {
    return await store.resolve(reference, options);
  } catch (error) {
    if (error instanceof RegiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
