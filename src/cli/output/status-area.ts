import type { TextOutput } from '../../io.ts';

const ERASE_DOWN = '\x1b[0J';
const ERASE_LINE = '\x1b[2K';
/** Escape sequences, which take no columns. */
const COLOR = /\x1b\[[\d;]*m/g;
/** Terminals that support synchronized output (tmux too) show everything between these two at once; others ignore them. */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';

/**
 * Writes to standard error: lines that stay, and below them an area that is redrawn. Writes keep their order;
 * only `flush()` and `clear()` wait for them. If the other end is closed, writes are dropped without an error.
 */
export class StatusArea {
  readonly #output: TextOutput;
  #area: readonly string[] = [];
  #pending: Promise<void> = Promise.resolve();
  #waiting = 0;
  #before: () => Promise<void> = () => Promise.resolve();

  constructor(output: TextOutput) {
    this.#output = output;
  }

  /** Delays every later write until `before` is done, to keep the order with standard output. It must not throw. */
  follow(before: () => Promise<void>): void {
    this.#before = before;
  }

  /** True if nothing is drawn and every write is done. */
  get isQuiet(): boolean {
    return this.#area.length === 0 && this.#waiting === 0;
  }

  /** Prints lines that stay. */
  print(text: string): void {
    if (text === '') return;
    this.#write(`${this.#eraseText()}${text}\n${drawText(this.#area)}`);
  }

  /** Redraws the area. Lines must be narrower than the terminal, or the next drawing is misplaced. */
  draw(lines: readonly string[]): void {
    // Skips this drawing while the terminal is still busy with earlier writes.
    if (this.#waiting > 0) return;
    const up = this.#height();
    const isBroken = up !== this.#area.length;
    const erased = lines.map((line) => `${ERASE_LINE}${line}\n`).join('');
    this.#area = lines;
    if (up === 0 && lines.length === 0) return;
    this.#write(
      `${BEGIN_UPDATE}${cursorUp(up)}${isBroken ? ERASE_DOWN : ''}${erased}${lines.length < up ? ERASE_DOWN : ''}${END_UPDATE}`,
    );
  }

  /** Erases the area, so that standard output can write to the same terminal. The next `draw()` restores it. */
  async clear(): Promise<void> {
    const text = this.#eraseText();
    this.#area = [];
    if (text !== '') this.#write(text);
    await this.#pending;
  }

  /** Resolves when every write is done. */
  async flush(): Promise<void> {
    await this.#pending;
  }

  #eraseText(): string {
    return this.#area.length === 0 ? '' : `${cursorUp(this.#height())}${ERASE_DOWN}`;
  }

  /** Rows of the area: a terminal that has become narrower wraps its lines. */
  #height(): number {
    const columns = this.#output.columns() ?? Number.POSITIVE_INFINITY;
    return this.#area.reduce(
      (rows, line) => rows + Math.max(Math.ceil(line.replace(COLOR, '').length / columns), 1),
      0,
    );
  }

  #write(text: string): void {
    this.#waiting += 1;
    this.#pending = this.#pending
      .then(() => this.#before())
      .then(() => this.#output.write(text))
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
  }
}

function drawText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function cursorUp(lines: number): string {
  return lines === 0 ? '' : `\r\x1b[${lines}A`;
}
