import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { InvalidManifestError } from '../../oci/descriptor.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { imageForHost, readForHost } from '../../operations/copy/resolve-image.ts';
import { readConfig, readManifest } from '../../operations/copy/read-manifest.ts';
import type { CallOptions, Source } from '../../store.ts';
import { positional, value } from '../arguments/arguments.ts';
import { exactBytes } from '../output/write-output.ts';
import { parseLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';

export interface ConfigAnswer {
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** `regi config`: the exact bytes of an image's config. */
export const configCommand: CommandBody<ConfigAnswer> = {
  run: runConfig,
  text: ({ bytes }, context) => exactBytes(bytes, context),
  json: configJson,
};

export function configJson({ digest, mediaType, size, bytes }: ConfigAnswer): unknown {
  return { digest, mediaType, size, config: parseJson(bytes) };
}

async function* runConfig(args: ParsedArguments, context: Context): AsyncIterable<ConfigAnswer> {
  const location = parseLocation(positional(args, 0, 'an image'));
  const platform = value(args, 'platform');
  const { signal, io } = context;
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference } = await stores.open(location, 'source');
    yield await findConfig(
      store,
      reference,
      {
        platform: platform === undefined ? undefined : parsePlatform(platform, io.host),
        host: io.host,
      },
      { signal },
    );
  });
}

/**
 * Reads the config of an image, of an index that of the platform that is asked for or this machine's.
 *
 * @throws {PlatformNotFoundError} when the index has no such platform.
 */
export async function findConfig(
  store: Source,
  reference: string,
  choice: Parameters<typeof readForHost>[2],
  options: CallOptions,
): Promise<ConfigAnswer> {
  const found = await readForHost(store, reference, choice, options);
  const descriptor = imageForHost(found, choice.host);
  const { manifest } =
    descriptor === found.root.descriptor
      ? found.root
      : await readManifest(store, descriptor, options);
  if (manifest.kind === 'index')
    throw new InvalidManifestError(
      `Cannot read a config of ${descriptor.digest}: expected an image, found an index in the index`,
    );
  const bytes = await readConfig(store, manifest, options);
  return {
    digest: manifest.config.digest,
    mediaType: manifest.config.mediaType,
    size: manifest.config.size,
    bytes,
  };
}

/** Undefined for what is no JSON: some artifacts have such a config. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
