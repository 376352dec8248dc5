import type { Gate } from '../trust/gate.ts';
import type { Stores } from './opened-store.ts';

/**
 * Opens the gate of one image, with the repository that keeps its signatures.
 *
 * @param name the image, for messages.
 */
export async function openGate(
  { rule, scope }: Pick<Gate, 'rule' | 'scope'>,
  name: string,
  stores: Stores,
): Promise<Gate> {
  const from = rule.kind === 'accept' ? undefined : rule.signaturesFrom;
  const opened = from && (await stores.open({ kind: 'registry', reference: from }, 'source'));
  return { rule, scope, name, signaturesFrom: opened?.store };
}
