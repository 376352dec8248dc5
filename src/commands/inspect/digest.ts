import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { parseDigest } from '../../oci/digest.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { withStores } from '../../targets/open-store.ts';
import { locationArgument, platformOption, value } from '../arguments/arguments.ts';

export interface ResolvedRow {
  readonly name: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
}

/** `regi digest`: prints the digest that a name points at. */
export const digestCommand: CommandBody<ResolvedRow> = {
  run: runDigest,
  text: ({ digest }) => `${digest}\n`,
};

async function* runDigest(args: ParsedArguments, context: Context): AsyncIterable<ResolvedRow> {
  const location = await locationArgument(args, 0, 'an image', context);
  const expected = value(args, 'expect');
  const wanted = expected === undefined ? undefined : parseDigest(expected);
  const platform = platformOption(args, context);
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference, name } = await stores.open(location, 'source', { orLocal: true });
    const { digest, mediaType, size } = await resolveImage(store, reference, platform, { signal });
    if (wanted !== undefined && wanted !== digest)
      throw new RegiError(
        'CONTENT_MISMATCH',
        `Cannot accept "${name}": expected ${wanted}, found ${digest}`,
        { hint: 'the name now points at another image; inspect both before you use either' },
      );
    yield { name, digest, mediaType, size };
  });
}
