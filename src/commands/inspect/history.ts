import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { inspectImage, type HistoryReport } from '../../operations/inspect/inspect-image.ts';
import { positional, value } from '../arguments/arguments.ts';
import { commandOf, layerLines } from '../../render/layers.ts';
import { parseLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import { pageStyle } from '../../render/page-style.ts';

/** All steps in one row: their bars are drawn beside the largest. */
export interface HistoryAnswer {
  readonly digest: string;
  readonly platform: string | undefined;
  readonly history: readonly HistoryReport[];
}

/** `regi history`: how an image was made, from the base up. */
export const historyCommand: CommandBody<HistoryAnswer> = {
  run: runHistory,
  text: ({ history }, context) =>
    layerLines(
      history.map(({ digest, size, createdBy, comment }) => ({
        digest,
        size,
        what: commandOf(createdBy ?? comment ?? ''),
      })),
      pageStyle(context),
    )
      .map((line) => `${line}\n`)
      .join(''),
};

async function* runHistory(args: ParsedArguments, context: Context): AsyncIterable<HistoryAnswer> {
  const location = parseLocation(positional(args, 0, 'an image'));
  const platform = value(args, 'platform');
  const { signal, io } = context;
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference } = await stores.open(location, 'source');
    const choice = {
      platform: platform === undefined ? undefined : parsePlatform(platform, io.host),
      host: io.host,
    };
    const { digest, image } = await inspectImage(store, reference, choice, { signal });
    yield {
      digest: image?.digest ?? digest,
      platform: image?.platform,
      history: image?.history ?? [],
    };
  });
}
