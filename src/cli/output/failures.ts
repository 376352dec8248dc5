import { sharedCause } from '../../shared-cause.ts';

/** Names of failed items that are shown; the number counts them all. */
const NAMES_SHOWN = 5;

/**
 * Failed items of one command. A cause that several share is printed once; their names follow at
 * the end.
 */
export class Failures {
  readonly #byCause = new Map<string, string[]>();

  /** Returns true for the first failure of its cause, which is to be printed. */
  add(image: string, error: unknown): boolean {
    const cause = sharedCause(error);
    if (cause === undefined) return true;
    const others = this.#byCause.get(cause);
    if (others === undefined) this.#byCause.set(cause, []);
    else others.push(image);
    return others === undefined;
  }

  /** Returns a line for each cause that several items share. */
  lines(): readonly string[] {
    const causes = [...this.#byCause.values()].filter((others) => others.length > 0);
    return causes.map((others) => {
      const shown = others.slice(0, NAMES_SHOWN).join(', ');
      const more = others.length > NAMES_SHOWN ? ', …' : '';
      return `regi: and ${others.length} more for the ${causes.length === 1 ? 'same reason' : 'reasons above'}: ${shown}${more}`;
    });
  }
}
