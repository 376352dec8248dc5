import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { parseDigest, type Digest } from '../../oci/digest.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { positional, value } from '../arguments/arguments.ts';
import { parseLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';

export interface DigestAnswer {
  readonly name: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
}

/** Another digest than `--expect` says. */
export class UnexpectedDigestError extends RegiError {
  readonly wanted: Digest;
  readonly found: Digest;

  constructor(name: string, wanted: Digest, found: Digest) {
    super('CONTENT_MISMATCH', `Cannot accept "${name}": expected ${wanted}, found ${found}`, {
      hint: 'the name points at another image than it did; look at both before you use either',
    });
    this.wanted = wanted;
    this.found = found;
  }
}

/** `regi digest`: what a name points at. */
export const digestCommand: CommandBody<DigestAnswer> = {
  run: runDigest,
  text: ({ digest }) => `${digest}\n`,
};

async function* runDigest(args: ParsedArguments, context: Context): AsyncIterable<DigestAnswer> {
  const location = parseLocation(positional(args, 0, 'an image'));
  const expected = value(args, 'expect');
  const wanted = expected === undefined ? undefined : parseDigest(expected);
  const platform = value(args, 'platform');
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference, name } = await stores.open(location, 'source');
    const found = await resolveImage(
      store,
      reference,
      platform === undefined ? undefined : parsePlatform(platform, context.io.host),
      {
        signal: context.signal,
      },
    );
    if (wanted !== undefined && wanted !== found.digest)
      throw new UnexpectedDigestError(name, wanted, found.digest);
    yield { name, digest: found.digest, mediaType: found.mediaType, size: found.size };
  });
}
