import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { collectProved } from '../../bytes.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { parseDigest } from '../../oci/digest.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { withStores } from '../../targets/open-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import { platformOption, positional, value } from '../arguments/arguments.ts';
import { eachArgument } from '../arguments/each-argument.ts';

export interface ResolvedRow {
  readonly name: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** As typed; undefined for the only one. */
  readonly location?: string | undefined;
}

/** `regi digest`: prints the digest that a name points at. */
export const digestCommand: CommandBody<ResolvedRow> = {
  run: runDigest,
  text: ({ digest, location }) =>
    location === undefined ? `${digest}\n` : `${digest}  ${location}\n`,
  json: ({ location: _location, ...row }) => row,
};

async function* runDigest(args: ParsedArguments, context: Context): AsyncIterable<ResolvedRow> {
  const expected = value(args, 'expect');
  const wanted = expected === undefined ? undefined : parseDigest(expected);
  const platform = platformOption(args, context);
  const { io, signal } = context;
  positional(args, 0, 'an image');
  const isAlone = args.positionals.length === 1;
  if (wanted !== undefined && !isAlone)
    throw new UsageError('Cannot use --expect with several images', {
      hint: 'name one image, or add each digest to its name: REF@DIGEST',
    });
  const images = await Promise.all(
    args.positionals.map(async (text) => ({ text, location: await parseSourceLocation(text, io) })),
  );
  yield* withStores(context, {}, (stores) =>
    eachArgument(images, context, async ({ text, location }): Promise<ResolvedRow> => {
      const opened = await stores.open(location, 'source', { orLocal: true });
      const { store, reference, name } = opened;
      const root = await resolveImage(store, reference, platform, { signal });
      const { digest, mediaType, size } = root;
      // The digest of a HEAD is a claim. One that is compared is proved by the bytes.
      if (wanted === digest)
        await collectProved(store.fetch(root, { signal }), root, LIMITS.manifestBytes);
      if (wanted !== undefined && wanted !== digest)
        throw new RegiError(
          'CONTENT_MISMATCH',
          `Cannot accept "${name}": expected ${wanted}, found ${digest}`,
          { hint: 'the name now points at another image; inspect both before you use either' },
        );
      return { name, digest, mediaType, size, ...(!isAlone && { location: text }) };
    }),
  );
}
