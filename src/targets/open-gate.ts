import { UsageError } from '../errors.ts';
import { quote } from '../quote.ts';
import type { Gate } from '../trust/gate.ts';
import type { TrustRule } from '../trust/policy.ts';
import type { Stores } from './opened-store.ts';

/**
 * Opens the gate of one image, with the repository that keeps its signatures.
 *
 * @param name the image, for messages.
 * @throws {UsageError} for a rule that cannot be applied.
 */
export async function openGate(
  { rule, scope }: Pick<Gate, 'rule' | 'scope'>,
  name: string,
  stores: Stores,
): Promise<Gate> {
  refuseUnbuilt(rule, name);
  const from = rule.kind === 'accept' ? undefined : rule.signaturesFrom;
  const opened = from && (await stores.open({ kind: 'registry', reference: from }, 'source'));
  return { rule, scope, name, signaturesFrom: opened?.store };
}

function refuseUnbuilt(rule: TrustRule, text: string): void {
  const unbuilt =
    rule.kind === 'keyless'
      ? 'keyless'
      : rule.kind === 'key' && rule.log === 'required'
        ? 'log: required'
        : undefined;
  if (unbuilt === undefined) return;
  throw new UsageError(
    `Cannot verify ${quote(text)}: rules with "${unbuilt}" are not supported yet`,
    { hint: 'use a rule with key or keys' },
  );
}
