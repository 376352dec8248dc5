import type { Wait } from '../../context.ts';
import type { Io } from '../../io.ts';
import { printable } from '../../redact.ts';
import { roomOf, showsUnicode, type PageStyle } from '../../render/page-style.ts';
import { fitLine } from '../../render/text.ts';
import { styled, type Styled } from '../../styled.ts';
import type { StatusArea } from './status-area.ts';

/** A shorter wait shows nothing: a line that flashes only distracts. */
const NOTICEABLE_MS = 300;
const FRAME_MS = 80;
const DEFAULT_COLUMNS = 80;

export interface WaitsOptions {
  /** True while a transfer is drawn, which says more. */
  readonly isDrawing: () => boolean;
}

/** Work without a sign of life, for streams that cannot redraw a line. */
export const SILENT_WAIT: Wait = (_what, work) => work();

/**
 * Shows what a command waits for in the status area. Of several waits it shows the one that began
 * last.
 */
export function createWait(
  { stderr, env }: Pick<Io, 'stderr' | 'env'>,
  area: StatusArea,
  { isDrawing }: WaitsOptions,
): Wait {
  const waits: string[] = [];
  let frames: Promise<(what: string) => string> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isShown = false;

  const style = (): PageStyle => ({
    columns: stderr.columns() ?? DEFAULT_COLUMNS,
    unicode: showsUnicode(env),
  });

  async function draw(): Promise<void> {
    frames ??= loadFrames(showsUnicode(env));
    const frameOf = await frames;
    const what = waits.at(-1);
    if (what === undefined || isDrawing()) return;
    isShown = true;
    area.draw([lineOf(frameOf(printable(what)), style())]);
  }

  function begin(what: string): void {
    waits.push(what);
    timer ??= setTimeout(() => {
      void draw();
      timer = setInterval(() => void draw(), FRAME_MS).unref();
    }, NOTICEABLE_MS).unref();
  }

  async function end(what: string): Promise<void> {
    waits.splice(waits.lastIndexOf(what), 1);
    if (waits.length > 0) return;
    clearTimeout(timer);
    timer = undefined;
    if (!isShown) return;
    isShown = false;
    if (!isDrawing()) await area.clear();
  }

  return async (what, work) => {
    begin(what);
    try {
      return await work();
    } finally {
      await end(what);
    }
  };
}

/** Marks the moving part, which is the first character. */
function lineOf(frame: string, style: PageStyle): Styled {
  return fitLine([styled('busy', frame.slice(0, 1)), frame.slice(1)], roomOf(style), style);
}

/**
 * Ora makes the frames. It does not write them: the area alone keeps the order of lines on the
 * terminal.
 */
async function loadFrames(unicode: boolean): Promise<(what: string) => string> {
  const { default: ora } = await import('ora');
  const spinner = ora({
    color: false,
    spinner: unicode ? 'dots' : 'line',
    isEnabled: false,
    discardStdin: false,
    hideCursor: false,
  });
  return (what) => {
    spinner.text = what;
    return spinner.frame();
  };
}
