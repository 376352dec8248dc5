/**
 * The steps of a verification, in their order. A refused candidate names the step that refused it.
 */
export const TRUST_STEPS = [
  'resolve',
  'collect',
  'shape',
  'signer',
  'signature',
  'log',
  'identity',
  'content',
  'threshold',
] as const;

export type TrustStep = (typeof TRUST_STEPS)[number];

export interface Refusal {
  readonly step: TrustStep;
  readonly reason: string;
}

export function isRefusal(value: object): value is Refusal {
  return 'step' in value && 'reason' in value;
}

export function refusal(step: TrustStep, reason: string): Refusal {
  return { step, reason };
}
