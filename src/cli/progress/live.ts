import type { Io } from '../../io.ts';
import { NO_TOTALS } from '../../operations/copy/totals.ts';
import { printable } from '../../redact.ts';
import { showsUnicode } from '../../render/page-style.ts';
import { wrapText } from '../../render/text.ts';
import { addBlobs, summaryLine } from './summary.ts';
import type { Progress } from './progress.ts';
import type { StatusArea } from '../output/status-area.ts';
import { transferLines, type LineStyle } from './transfer-lines.ts';
import { TransferModel } from './transfer-model.ts';

const FRAME_MS = 100;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** Draws a line with bar, bytes and speed per active blob, and a total, ten times a second. */
export function liveProgress(
  { clock, stderr, env }: Pick<Io, 'clock' | 'stderr' | 'env'>,
  { summarises }: { readonly summarises: boolean },
  area: StatusArea,
): Progress {
  const begun = clock.now();
  const model = new TransferModel();
  const stopping = new AbortController();
  let totals = NO_TOTALS;
  let images = 1;
  let drawing = false;

  const style = (): LineStyle => ({
    columns: stderr.columns() ?? DEFAULT_COLUMNS,
    rows: stderr.rows() ?? DEFAULT_ROWS,
    unicode: showsUnicode(env),
  });

  async function drawUntilStopped(): Promise<void> {
    for (;;) {
      // Sleeps first, so that a quick command does not flash. Rejects only if drawing is to end.
      await clock.sleep(FRAME_MS, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return;
      area.draw(transferLines(model.view(clock.now()), style()));
    }
  }

  return {
    showsMessages: false,
    isDrawing: () => drawing && !stopping.signal.aborted,
    onEvent(event) {
      totals = addBlobs(totals, event);
      model.add(event, clock.now());
      if (event.kind === 'listed') images = event.images;
      // Of several images, each has its row, and the summary counts them.
      if (event.kind === 'unchanged' && images === 1)
        area.print(printable(`${event.image} is unchanged`));
      if (event.kind !== 'started' || drawing) return;
      drawing = true;
      void drawUntilStopped();
    },
    end(completed) {
      stopping.abort();
      void area.clear();
      if (completed && !summarises) {
        const { columns } = style();
        const summary = summaryLine(totals, clock.now() - begun);
        area.print(wrapText(summary, columns - 1).join('\n'));
      }
    },
  };
}
