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
  const from = 'signaturesFrom' in rule ? rule.signaturesFrom : undefined;
  const opened = from && (await stores.open({ kind: 'registry', reference: from }, 'source'));
  const readUrl: Gate['readUrl'] = async (url, options) => stores.readUrl(url, options);
  return { rule, scope, name, signaturesFrom: opened?.store, readUrl };
}
