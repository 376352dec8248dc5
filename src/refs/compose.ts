import { findInDockerfile } from './dockerfile.ts';
import { noFindings, type Findings } from './found.ts';
import { addEmbedded, addPrefixed } from './image-keys.ts';
import { addExpanded } from './scalar-with-variables.ts';
import { child, entriesOf, itemsOf, textAt, type YamlNode } from './yaml-node.ts';

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
    const valueOf = (name: string): string | undefined => environment.get(name);
    const place = { level: 'exact' as const, why: `image of service ${key}` };
    addExpanded(findings, child(value, 'image'), place, valueOf);
    for (const volume of itemsOf(child(value, 'volumes'))) {
      if (textAt(child(volume, 'type'))?.text !== 'image') continue;
      const why = `image volume of service ${key}`;
      addExpanded(findings, child(volume, 'source'), { level: 'exact', why }, valueOf);
    }
    addBuild(findings, child(value, 'build'), key);
  }
}

/** `additional_contexts` is a map, or a list of `NAME=docker-image://IMAGE`. */
function addBuild(findings: Findings, build: YamlNode | undefined, service: string): void {
  const why = `build context of service ${service}`;
  const contexts = child(build, 'additional_contexts');
  for (const { value } of entriesOf(contexts)) {
    addPrefixed(findings, value, /^docker-image:\/\//, why);
  }
  for (const item of itemsOf(contexts)) {
    addPrefixed(findings, item, /^[^=]+=docker-image:\/\//, why);
  }
  const dockerfile = textAt(child(build, 'dockerfile_inline'));
  if (dockerfile === undefined) return;
  const inner = noFindings();
  findInDockerfile(inner, dockerfile.text);
  addEmbedded(findings, inner, dockerfile, 'dockerfile_inline');
}
