import { noFindings, type Findings } from './found.ts';
import { addEmbedded, findByKeys } from './image-keys.ts';
import { isReference } from './reference-text.ts';
import { child, itemsOf, parseYaml, textAt, type YamlNode } from './yaml-node.ts';

/** Finds the images that a Helm chart lists, and the charts in registries that it depends on. */
export async function findInChart(findings: Findings, chart: YamlNode): Promise<void> {
  const listed =
    textAt(child(chart, 'metadata', 'annotations', IMAGES)) ??
    textAt(child(chart, 'annotations', IMAGES));
  if (listed !== undefined) {
    const { documents } = await parseYaml(listed.text);
    const inner = noFindings();
    for (const document of documents) {
      findByKeys(inner, document, { level: 'structured', place: 'a list' });
    }
    addEmbedded(findings, inner, listed, IMAGES);
  }
  for (const dependency of itemsOf(child(chart, 'dependencies')))
    addDependency(findings, dependency);
}

const IMAGES = 'artifacthub.io/images';

/** A dependency names a chart where its repository is `oci://` and its version is no range. */
function addDependency(findings: Findings, dependency: YamlNode): void {
  const repository = textAt(child(dependency, 'repository'));
  const name = textAt(child(dependency, 'name'))?.text;
  const version = textAt(child(dependency, 'version'));
  const prefix = /^oci:\/\/(?<prefix>.+?)\/?$/.exec(repository?.text ?? '')?.groups?.['prefix'];
  if (repository === undefined || prefix === undefined || name === undefined) return;
  if (version === undefined || !/^v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(version.text)) {
    findings.remarks.push({
      at: repository.start,
      message: `chart ${name} has the version range ${version?.text ?? '*'}: name a version to find it`,
    });
    return;
  }
  // A tag has no "+": Helm writes "_" for it.
  const reference = `${prefix}/${name}:${version.text.replaceAll('+', '_')}`;
  if (!isReference(reference)) return;
  const start = repository.positionOf('oci://'.length);
  findings.found.push({
    at: start ?? repository.start,
    level: 'exact',
    kind: 'chart',
    reference,
    why: `dependency ${name}`,
    edit: { fixed: 'the repository of a chart holds other charts too' },
  });
}

/** Finds the images of a chart's values. `appVersion` stands in for a tag that is empty. */
export function findInValues(
  findings: Findings,
  values: YamlNode,
  appVersion: string | undefined,
): void {
  const rules = { level: 'structured' as const, place: 'values', appVersion };
  const registry = textAt(child(values, 'global', 'imageRegistry'));
  if (registry === undefined) findByKeys(findings, values, rules);
  else {
    const inner = noFindings();
    findByKeys(inner, values, rules);
    for (const finding of inner.found) {
      const isSplit = 'name' in finding.edit && finding.edit.end === undefined;
      const edit = { fixed: 'global.imageRegistry replaces its registry: change that' };
      findings.found.push(isSplit ? { ...finding, edit } : finding);
    }
    findings.unresolved.push(...inner.unresolved);
    findings.remarks.push(...inner.remarks);
    findings.remarks.push({
      at: registry.start,
      message: `global.imageRegistry replaces the registry of every image with ${registry.text}`,
    });
  }
}
