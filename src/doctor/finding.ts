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

/** The result of one step. */
export interface Finding {
  readonly step: Step;
  /** `note` is neither good nor bad: the feature is absent, or was not probed. */
  readonly status: 'ok' | 'failed' | 'note';
  readonly message: string;
  /** The next step for the user. */
  readonly hint?: string | undefined;
  /** The failure, for status `failed`. */
  readonly error?: RegiError | undefined;
  /** Facts for programs. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
}

/** A finding with its duration. */
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

/**
 * Runs one step. A RegiError becomes a finding; a bug, and everything after an abort, is thrown.
 */
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
