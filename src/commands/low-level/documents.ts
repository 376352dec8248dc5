import type { CommandBody } from '../../command.ts';
import { tryParseJson } from '../../json.ts';
import { readConfig, readManifest } from '../../operations/copy/read-manifest.ts';
import {
  readImage,
  resolveImage,
  type PlatformChoice,
} from '../../operations/copy/resolve-image.ts';
import type { CallOptions } from '../../store.ts';
import { withStores } from '../../targets/open-store.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';
import { flag, locationArgument, platformChoice } from '../arguments/arguments.ts';
import { exactBytes } from '../output/write-output.ts';

/** A manifest or config, as its exact bytes. */
export interface Document {
  readonly kind: 'manifest' | 'config';
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly bytes: Uint8Array;
  /** True if a terminal gets the bytes as they are too. */
  readonly isRaw?: boolean | undefined;
}

type FindDocument = (
  opened: OpenedStore,
  choice: PlatformChoice,
  options: CallOptions,
) => Promise<Document>;

/**
 * `regi manifest get`: prints a manifest, without a newline, so that the output has the digest of
 * the image.
 */
export const manifestGetCommand = documentCommand(findManifest);

/** `regi config`: prints the config of an image. */
export const configCommand = documentCommand(findConfig);

function documentCommand(find: FindDocument): CommandBody<Document> {
  return {
    async *run(args, context) {
      const location = await locationArgument(args, 0, 'an image', context);
      const choice = platformChoice(args, context);
      yield* withStores(context, {}, async function* (stores) {
        const opened = await stores.open(location, 'source', { orLocal: true });
        yield { ...(await find(opened, choice, context)), isRaw: flag(args, 'raw') };
      });
    },
    text: ({ bytes, isRaw }, context) =>
      isRaw === true || !context.io.stdout.isTTY ? exactBytes(bytes, context) : prettyText(bytes),
    json: documentJson,
  };
}

/** Indents a document for people. Text that is not JSON stays as it is. */
function prettyText(bytes: Uint8Array): string {
  const value = tryParseJson(bytes);
  return value === undefined
    ? new TextDecoder().decode(bytes)
    : `${JSON.stringify(value, undefined, 2)}\n`;
}

/**
 * A document as `--json` shows it. Some artifacts have a config that is not JSON: it is left out.
 */
export function documentJson({ kind, digest, mediaType, size, bytes }: Document): object {
  return { digest, mediaType, size, [kind]: tryParseJson(bytes) };
}

/** @throws {PlatformNotFoundError} when the image lacks the platform that was asked for. */
export async function findManifest(
  { store, reference }: OpenedStore,
  { platform }: PlatformChoice,
  { signal }: CallOptions,
): Promise<Document> {
  const root = await resolveImage(store, reference, platform, { signal });
  const { descriptor, bytes } = await readManifest(store, root, { signal });
  const { digest, mediaType, size } = descriptor;
  return { kind: 'manifest', digest, mediaType, size, bytes };
}

/**
 * @throws {PlatformNotFoundError} when an index lacks the platform that was asked for, or this
 *   machine's.
 */
export async function findConfig(
  { store, reference }: OpenedStore,
  choice: PlatformChoice,
  { signal }: CallOptions,
): Promise<Document> {
  const { manifest } = await readImage(store, reference, choice, { signal });
  const bytes = await readConfig(store, manifest, { signal });
  const { digest, mediaType, size } = manifest.config;
  return { kind: 'config', digest, mediaType, size, bytes };
}
