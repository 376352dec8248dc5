import type { TextOutput } from '../../io.ts';
import { plainText, type Styled } from '../../styled.ts';
import type { Paint } from './paint.ts';

const ERASE_DOWN = '\x1b[0J';
const ERASE_LINE = '\x1b[2K';
/**
 * Terminals that support synchronized output (tmux too) show everything between these two at once;
 * others ignore them.
 */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';

/** A CI service whose log can fold lines. */
export type Fold = 'github' | 'gitlab';

/**
 * Writes to standard error: lines that stay, and below them an area that is redrawn. Writes keep
 * their order; only `flush()` and `clear()` wait for them. If the other end is closed, writes are
 * dropped without an error.
 */
export class StatusArea {
  readonly #output: TextOutput;
  readonly #paint: Paint;
  #area: readonly Styled[] = [];
  #pending: Promise<void> = Promise.resolve();
  #waiting = 0;
  #before: () => Promise<void> = () => Promise.resolve();

  constructor(output: TextOutput, paint: Paint) {
    this.#output = output;
    this.#paint = paint;
  }

  /**
   * Delays every later write until `before` is done, to keep the order with standard output. It
   * must not throw.
   */
  follow(before: () => Promise<void>): void {
    this.#before = before;
  }

  /** True if nothing is drawn and every write is done. */
  get isQuiet(): boolean {
    return this.#area.length === 0 && this.#waiting === 0;
  }

  /** Prints lines that stay. */
  print(text: Styled): void {
    if (text === '') return;
    const [erase, area] = [this.#eraseText(), this.#area];
    this.#write(async () => `${erase}${await this.#lines([text, ...area], '')}`);
  }

  /** Begins lines that a CI log can fold. @param now milliseconds since 1970. */
  openFold(fold: Fold, title: string, now: number): void {
    this.#write(async () => {
      const line = await this.#paint(title);
      return fold === 'github' ? `::group::${line}\n` : `${gitlabMark('start', now)}${line}\n`;
    });
  }

  closeFold(fold: Fold, now: number): void {
    this.#write(async () => (fold === 'github' ? '::endgroup::\n' : `${gitlabMark('end', now)}\n`));
  }

  /**
   * Redraws the area. Lines must be narrower than the terminal, or the next drawing is misplaced.
   */
  draw(lines: readonly Styled[]): void {
    // Skips this drawing while the terminal is still busy with earlier writes.
    if (this.#waiting > 0) return;
    const up = this.#height();
    const isBroken = up !== this.#area.length;
    this.#area = lines;
    if (up === 0 && lines.length === 0) return;
    const before = `${BEGIN_UPDATE}${cursorUp(up)}${isBroken ? ERASE_DOWN : ''}`;
    const after = `${lines.length < up ? ERASE_DOWN : ''}${END_UPDATE}`;
    this.#write(async () => `${before}${await this.#lines(lines, ERASE_LINE)}${after}`);
  }

  /**
   * Erases the area, so that standard output can write to the same terminal. The next `draw()`
   * restores it.
   */
  async clear(): Promise<void> {
    const text = this.#eraseText();
    this.#area = [];
    if (text !== '') this.#write(async () => text);
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
      (rows, line) => rows + Math.max(Math.ceil(plainText(line).length / columns), 1),
      0,
    );
  }

  async #lines(lines: readonly Styled[], lead: string): Promise<string> {
    const painted = await Promise.all(lines.map(this.#paint));
    return painted.map((line) => `${lead}${line}\n`).join('');
  }

  #write(compose: () => Promise<string>): void {
    this.#waiting += 1;
    this.#pending = this.#pending
      .then(() => this.#before())
      .then(async () => this.#output.write(await compose()))
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
  }
}

/** The mark of a section: https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections. */
function gitlabMark(edge: 'start' | 'end', now: number): string {
  return `\x1b[0Ksection_${edge}:${Math.floor(now / 1000)}:regi\r\x1b[0K`;
}

function cursorUp(lines: number): string {
  return lines === 0 ? '' : `\r\x1b[${lines}A`;
}
