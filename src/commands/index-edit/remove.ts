import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { parseDigest, type Digest } from '../../oci/digest.ts';
import { formatPlatform, normalizePlatform, parsePlatform } from '../../oci/platform.ts';
import { PlatformNotFoundError, runnableEntries } from '../../operations/copy/choose-platform.ts';
import { indexOf, withoutEntries } from '../../operations/edit/edit-index.ts';
import { readManifest, type ManifestNode } from '../../operations/copy/read-manifest.ts';
import { positional, values } from '../arguments/arguments.ts';
import { digestText, type DigestRow } from '../output/digest-row.ts';
import { landIndex, readIndex, warnOfSignatures } from './edit.ts';
import { parseLocation } from '../../targets/location.ts';
import { openToChange } from '../../targets/open-to-change.ts';
import { withStores, type OpenedStore } from '../../targets/open-store.ts';

/** `regi index remove`: images out of an index. */
export const indexRemoveCommand: CommandBody<DigestRow> = {
  run: runIndexRemove,
  text: digestText,
};

async function* runIndexRemove(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const typed = positional(args, 0, 'an index');
  const location = parseLocation(typed);
  const digests = args.positionals.slice(1).map((text) => parseDigest(text.replace(/^@/, '')));
  const platforms = values(args, 'platform');
  if (digests.length === 0 && platforms.length === 0) {
    throw new UsageError(
      `Cannot remove anything from "${typed}": expected a digest or --platform`,
      { hint: `see what it lists: regi inspect ${typed}` },
    );
  }
  yield* withStores(context, {}, async function* (stores) {
    const opened = await openToChange(location, stores);
    const before = await readIndex(opened, context);
    const listed = digests.map((digest) => find(before, digest, typed));
    const chosen =
      platforms.length === 0 ? [] : await ofPlatforms(before, platforms, opened, context);
    const index = withoutEntries(before, [...listed, ...chosen]);
    const row = await landIndex(index, opened, context);
    yield row;
    await warnOfSignatures(before, row, opened, context);
  });
}

function find(index: ManifestNode, digest: Digest, typed: string): Descriptor {
  const entry = indexOf(index).manifests.find((candidate) => candidate.digest === digest);
  if (entry !== undefined) return entry;
  throw new RegiError(
    'NOT_FOUND',
    `Cannot remove ${digest} from "${typed}": the index does not list it`,
    {
      hint: `see what it lists: regi inspect ${typed}`,
    },
  );
}

/** Exactly that platform: what is near to it must not go in its place. */
async function ofPlatforms(
  index: ManifestNode,
  platforms: readonly string[],
  { store }: OpenedStore,
  { io, signal }: Context,
): Promise<readonly Descriptor[]> {
  const wanted = platforms.map((text) => normalizePlatform(parsePlatform(text, io.host)));
  const entries = await runnableEntries(
    indexOf(index),
    async (child) => readManifest(store, child, { signal }),
    store,
    { signal },
  );
  return wanted.flatMap((platform) => {
    const found = entries.filter(
      (entry) => formatPlatform(normalizePlatform(entry.platform)) === formatPlatform(platform),
    );
    if (found.length > 0) return found;
    throw new PlatformNotFoundError(
      platform,
      entries.map((entry) => entry.platform),
    );
  });
}
