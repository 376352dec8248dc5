import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { formatReference } from '../../oci/reference.ts';
import type { DigestRow } from '../output/digest-row.ts';
import { findLocal, type LocalMatch } from '../../targets/local-images.ts';
import type { Stores } from '../../targets/open-store.ts';
import type { NewName } from './tag.ts';

/** Gives an image of the local store other names there. */
export async function* tagLocally(
  image: string,
  names: readonly NewName[],
  stores: Stores,
  context: Context,
): AsyncIterable<DigestRow> {
  const { signal } = context;
  // Not made for an image that is not in it.
  const [found] = (await find(image, names, stores, context)).images;
  if (found === undefined) throw new Error('A match without an image');
  const { root } = found;
  const store = await stores.openLocal('destination');
  context.note('Tagging in the local store');
  for (const { name } of names) {
    await store.openRepository(name).tag(root, name.tag ?? 'latest', { signal });
    const { domain, path } = name;
    yield {
      name: `local:${formatReference({ domain, path })}`,
      image: `local:${formatReference(name)}`,
      digest: root.digest,
      mediaType: root.mediaType,
      size: root.size,
      outcome: 'copied',
    };
  }
}

async function find(
  image: string,
  [first]: readonly NewName[],
  stores: Stores,
  { signal }: Context,
): Promise<LocalMatch> {
  try {
    return await findLocal(await stores.openLocal('source'), image.replace(/^docker:\/\//, ''), {
      signal,
    });
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'NOT_FOUND') throw error;
    const target = first?.text.replace(/^local:/, '') ?? 'NEW';
    throw new RegiError(
      'NOT_FOUND',
      `Cannot tag "${image}" as "${target}": it is not in the local store`,
      {
        hint: `to copy it there, type: regi copy ${image} ${target}; or first: regi pull ${image}`,
        cause: error,
      },
    );
  }
}
