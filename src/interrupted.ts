import { RegiError } from './errors.ts';

export type InterruptSignal = 'SIGINT' | 'SIGTERM';

const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const satisfies Record<InterruptSignal, number>;

/** Somebody asked the whole command to end. It is the reason of `io.signal`. */
export class InterruptedError extends RegiError {
  readonly code = 'INTERRUPTED';
  /** What a shell reports of a program that such a signal ended. */
  readonly exitStatus: number;

  constructor(signal: InterruptSignal) {
    super(`Interrupted by ${signal}`);
    this.exitStatus = SIGNAL_STATUS[signal];
  }
}
