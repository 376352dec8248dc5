import { RegiError } from '../errors.ts';

/** Bytes that are no tar, or one that was cut or damaged. */
export class InvalidTarError extends RegiError {
  readonly code = 'INVALID_ARCHIVE';
  /** Where in the tar, in bytes. */
  readonly offset: number;

  /**
   * @param what is read, such as `the tar`.
   * @param problem what was expected and found, such as `expected a header, found other bytes`.
   */
  constructor(what: string, offset: number, problem: string, hint = 'the file is damaged or was not copied whole; copy it here again') {
    super(`Cannot read ${what} at byte ${offset}: ${problem}`, { hint });
    this.offset = offset;
  }
}
