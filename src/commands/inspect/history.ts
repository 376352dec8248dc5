import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { inspectImage, type HistoryReport } from '../../operations/inspect/inspect-image.ts';
import { commandOf, layerLines } from '../../render/layers.ts';
import { pageStyle } from '../../render/page-style.ts';
import { FIRST_DATE } from '../../render/text.ts';
import { linesText } from '../../styled.ts';
import { withStores } from '../../targets/open-store.ts';
import { locationArgument, lookup, platformChoice } from '../arguments/arguments.ts';

/** All steps in one row: the length of their bars is relative to the largest layer. */
export interface ImageHistory {
  readonly digest: string;
  readonly platform: string | undefined;
  readonly history: readonly HistoryReport[];
}

/** `regi history`: lists the steps that made an image, from the base up. */
export const historyCommand: CommandBody<ImageHistory> = {
  run: runHistory,
  text: ({ history }, context) => {
    const steps = history.map(({ digest, size, created, createdBy, comment }) => ({
      digest,
      size,
      day: dayOf(created),
      what: commandOf(createdBy ?? comment ?? ''),
    }));
    return linesText(layerLines(steps, pageStyle(context)));
  },
};

/** Formats the day of a step. Steps without a real date leave the column empty. */
function dayOf(created: string | undefined): string {
  const date = Date.parse(created ?? '');
  return date >= FIRST_DATE ? new Date(date).toISOString().slice(0, 10) : '';
}

async function* runHistory(args: ParsedArguments, context: Context): AsyncIterable<ImageHistory> {
  const location = await locationArgument(args, 0, 'an image', context);
  const choice = platformChoice(args, context);
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference } = await stores.open(location, 'source', lookup(args));
    const { digest, image } = await inspectImage(store, reference, choice, { signal });
    yield {
      digest: image?.digest ?? digest,
      platform: image?.platform && formatPlatform(image.platform),
      history: image?.history ?? [],
    };
  });
}
