import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { positional, value } from '../arguments/arguments.ts';
import { exactBytes } from '../output/write-output.ts';
import { parseLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';

export interface ManifestAnswer {
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** `regi manifest get`: the exact bytes of a manifest, no newline added, so that their digest stays the image's. */
export const manifestGetCommand: CommandBody<ManifestAnswer> = {
  run: runManifestGet,
  text: ({ bytes }, context) => exactBytes(bytes, context),
  json: manifestJson,
};

export function manifestJson({ digest, mediaType, size, bytes }: ManifestAnswer): unknown {
  return {
    digest,
    mediaType,
    size,
    manifest: JSON.parse(new TextDecoder().decode(bytes)) as unknown,
  };
}

async function* runManifestGet(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<ManifestAnswer> {
  const location = parseLocation(positional(args, 0, 'an image'));
  const platform = value(args, 'platform');
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference } = await stores.open(location, 'source');
    const root = await resolveImage(
      store,
      reference,
      platform === undefined ? undefined : parsePlatform(platform, context.io.host),
      { signal },
    );
    const { descriptor, bytes } = await readManifest(store, root, { signal });
    yield {
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      size: descriptor.size,
      bytes,
    };
  });
}
