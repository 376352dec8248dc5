import type { TextOutput } from '../../io.ts';

const ERASE_DOWN = '\x1b[0J';
const ERASE_LINE = '\x1b[2K';
/** What takes no room. */
const COLOR = /\x1b\[[\d;]*m/g;
/** Terminals that know it (tmux too) show what is between in one go; others ignore it. */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';

/**
 * Standard error: lines that stay, and below them an area that is drawn over and over. Writes keep their order; nobody waits for
 * them but `flush()`. A reader that has gone is no failure: what it does not want to read is dropped.
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

  /** Lets all that is printed from now on wait for `before`, which another stream of the same terminal may need. It must not throw. */
  follow(before: () => Promise<void>): void {
    this.#before = before;
  }

  /** Whether nothing is drawn and all that was printed is with the reader. */
  get isQuiet(): boolean {
    return this.#area.length === 0 && this.#waiting === 0;
  }

  /** Prints lines that stay. */
  print(text: string): void {
    if (text === '') return;
    this.#write(`${this.#eraseText()}${text}\n${drawText(this.#area)}`);
  }

  /** Replaces the area. Lines must be narrower than the terminal, or the next drawing is off. */
  draw(lines: readonly string[]): void {
    // A terminal that is slower than ten drawings a second gets fewer.
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

  /** Takes the area away, so that another stream of the same terminal can write; the next `draw()` brings it back. */
  async clear(): Promise<void> {
    const text = this.#eraseText();
    this.#area = [];
    if (text !== '') this.#write(text);
    await this.#pending;
  }

  /** Resolves when all that was printed is with the reader. */
  async flush(): Promise<void> {
    await this.#pending;
  }

  #eraseText(): string {
    return this.#area.length === 0 ? '' : `${cursorUp(this.#height())}${ERASE_DOWN}`;
  }

  /** Rows that the area takes: terminals break its lines anew when they are made narrower. */
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
