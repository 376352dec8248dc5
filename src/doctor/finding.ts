import type { Clock } from '../clock.ts';
import { RegiError } from '../errors.ts';

/** The steps of an examination, in their order. */
export type Step =
  | 'proxy'
  | 'mirrors'
  | 'name'
  | 'tcp'
  | 'tls'
  | 'api'
  | 'challenge'
  | 'credential'
  | 'login'
  | 'repository'
  | 'rate limit'
  | 'catalog'
  | 'referrers'
  | 'delete'
  | 'push'
  | 'mount'
  | 'chunks';

/** What one step found. */
export interface Finding {
  readonly step: Step;
  /** `note` is neither good nor bad: there is none, or it was not looked at. */
  readonly status: 'ok' | 'failed' | 'note';
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** What went wrong; only of what failed. */
  readonly error?: RegiError | undefined;
  /** Facts for programs. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
}

/** A finding, and how long it took. */
export interface TimedFinding extends Finding {
  readonly ms: number;
}

export function ok(
  step: Step,
  message: string,
  more: Pick<Finding, 'hint' | 'facts'> = {},
): Finding {
  return { step, status: 'ok', message, ...more };
}

export function note(
  step: Step,
  message: string,
  more: Pick<Finding, 'hint' | 'facts'> = {},
): Finding {
  return { step, status: 'note', message, ...more };
}

export function failed(step: Step, error: RegiError): Finding {
  return { step, status: 'failed', message: error.message, hint: error.hint, error };
}

/** Takes one step. What regi means to throw is what it finds; a bug is thrown on, and so is whatever an abort ends. */
export async function examine(
  step: Step,
  clock: Clock,
  signal: AbortSignal | undefined,
  look: () => Promise<Finding>,
): Promise<TimedFinding> {
  signal?.throwIfAborted();
  const begun = clock.now();
  try {
    return { ...(await look()), ms: clock.now() - begun };
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof RegiError)) throw error;
    return { ...failed(step, error), ms: clock.now() - begun };
  }
}
