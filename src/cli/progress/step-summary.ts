import { appendFile } from 'node:fs/promises';

import { guarded } from '../../disk/errno.ts';
import { UsageError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { NO_TOTALS } from '../../operations/copy/totals.ts';
import { printable } from '../../redact.ts';
import { addBlobs, planLine, summaryLine } from './summary.ts';

/** The file to which GitHub's jobs append Markdown. */
const VARIABLE = 'GITHUB_STEP_SUMMARY';

const RESULTS = {
  tagged: 'copied',
  unchanged: 'unchanged',
  kept: 'kept: the tag exists',
  failed: 'failed',
} as const;

/** Collects the images of a command for `--summary`. */
export class StepSummary {
  readonly #path: string;
  readonly #clock: Io['clock'];
  readonly #begun: number;
  readonly #rows: string[] = [];
  readonly #isPlan: boolean;
  #totals = NO_TOTALS;

  /**
   * @param options `isPlan`: true for a dry run.
   * @throws {UsageError} outside of a job of GitHub Actions, before the command has done anything.
   */
  constructor(
    { env, clock }: Pick<Io, 'env' | 'clock'>,
    { isPlan = false }: { readonly isPlan?: boolean } = {},
  ) {
    const path = env[VARIABLE] ?? '';
    if (path === '')
      throw new UsageError(`Cannot use --summary: ${VARIABLE} is not set`, {
        hint: `use it in a job of GitHub Actions, or set ${VARIABLE} to a file`,
      });
    this.#path = path;
    this.#isPlan = isPlan;
    this.#clock = clock;
    this.#begun = clock.now();
  }

  add(event: CopyEvent): void {
    this.#totals = addBlobs(this.#totals, event);
    switch (event.kind) {
      case 'tagged':
      case 'unchanged':
      case 'kept':
        this.#row(
          event.image,
          this.#isPlan && event.kind === 'tagged' ? 'would be copied' : RESULTS[event.kind],
          event.root.digest,
        );
        return;
      case 'failed':
        this.#row(event.image, RESULTS.failed, '');
        return;
      default:
    }
  }

  /** Appends the table. @throws {RegiError} STORAGE_FAILED */
  async write(): Promise<void> {
    const total = this.#isPlan
      ? planLine(this.#totals)
      : summaryLine(this.#totals, this.#clock.now() - this.#begun);
    const text = [
      '| Image | Result | Digest |',
      '|---|---|---|',
      ...this.#rows,
      ...(total === '' ? [] : ['', total]),
      '',
      '',
    ].join('\n');
    if (this.#rows.length > 0) await guarded('write', this.#path, appendFile(this.#path, text));
  }

  #row(image: string, result: string, digest: string): void {
    this.#rows.push(`| ${code(image)} | ${result} | ${digest === '' ? '' : code(digest)} |`);
  }
}

/** Formats a name as code in a cell: no other Markdown works in it. */
function code(text: string): string {
  return `\`${printable(text).replace(/[`|]/g, ' ')}\``;
}
