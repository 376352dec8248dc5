import type { Findings } from './found.ts';
import { addExpanded } from './scalar-with-variables.ts';
import { child, entriesOf, type YamlNode } from './yaml-node.ts';

/** True if the document has services as compose writes them. */
export function isCompose(node: YamlNode): boolean {
  return entriesOf(child(node, 'services')).some(
    ({ value }) => child(value, 'image') !== undefined || child(value, 'build') !== undefined,
  );
}

/**
 * Finds the images of services.
 *
 * @see https://github.com/compose-spec/compose-spec/blob/main/05-services.md#image
 */
export function findInCompose(
  findings: Findings,
  node: YamlNode,
  environment: ReadonlyMap<string, string>,
): void {
  for (const { key, value } of entriesOf(child(node, 'services'))) {
    const place = { level: 'exact' as const, why: `image of service ${key}` };
    addExpanded(findings, child(value, 'image'), place, (name) => environment.get(name));
  }
}
