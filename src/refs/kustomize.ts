import { noFindings, type EditableParts, type Findings } from './found.ts';
import { addEmbedded, addScalar, findByKeys, spanOf } from './image-keys.ts';
import { findInObject, isKubernetesObject } from './kubernetes.ts';
import { isReference } from './reference-text.ts';
import { child, itemsOf, parseYaml, textAt, type YamlNode, type YamlScalar } from './yaml-node.ts';

/**
 * Finds the images of a kustomization that say which tag or digest to use, and those in its patches.
 *
 * @see https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/
 */
export async function findInKustomization(findings: Findings, node: YamlNode): Promise<void> {
  findings.bases.push(...basesOf(node));
  for (const image of itemsOf(child(node, 'images'))) {
    const selector = textAt(child(image, 'name'));
    const newName = textAt(child(image, 'newName'));
    const tag = textAt(child(image, 'newTag'));
    const digest = textAt(child(image, 'digest'));
    const name = newName ?? selector;
    if (selector?.isVerbatim === true) {
      findings.selectors.push({ name: selector.text, span: spanOf(selector) });
    }
    if (name === undefined || (newName ?? tag ?? digest) === undefined) continue;
    const version =
      digest === undefined ? (tag === undefined ? '' : `:${tag.text}`) : `@${digest.text}`;
    const reference = `${name.text}${version}`;
    if (!isReference(reference)) continue;
    if (typeof tag?.value === 'number') {
      findings.remarks.push({
        at: tag.start,
        message: `newTag: ${tag.typed} is a number, which kustomize refuses; write '${tag.typed}'`,
      });
    }
    findings.found.push({
      at: name.start,
      level: 'exact',
      kind: 'image',
      reference,
      why: newName === undefined ? 'name with newTag of kustomize' : 'newName of kustomize',
      edit:
        newName === undefined
          ? { fixed: 'the name selects images of the bases: add a newName' }
          : editable(name, tag, digest),
    });
  }
  const patches = [
    ...itemsOf(child(node, 'patchesStrategicMerge')),
    ...['patches', 'patchesJson6902'].flatMap((key) =>
      itemsOf(child(node, key)).map((item) => child(item, 'patch')),
    ),
  ];
  for (const patch of patches) {
    const scalar = textAt(patch);
    if (scalar !== undefined) await findInPatch(findings, scalar);
  }
}

function basesOf(node: YamlNode): readonly string[] {
  const named = ['resources', 'bases', 'components', 'patchesStrategicMerge'].flatMap((key) =>
    itemsOf(child(node, key)),
  );
  const patches = itemsOf(child(node, 'patches')).map((patch) => child(patch, 'path'));
  return [...named, ...patches].flatMap((item) => textAt(item)?.text ?? []);
}

/** A patch is part of an object, or a list of JSON patch operations. */
async function findInPatch(findings: Findings, scalar: YamlScalar): Promise<void> {
  const inner = noFindings();
  for (const document of (await parseYaml(scalar.text)).documents) {
    if (isKubernetesObject(document)) await findInObject(inner, document);
    for (const operation of itemsOf(document)) {
      const value = child(operation, 'value');
      const path = textAt(child(operation, 'path'))?.text ?? '';
      if (value === undefined) continue;
      if (path.endsWith('/image')) {
        addScalar(inner, value, { level: 'structured', why: 'image of a JSON patch' });
      } else findByKeys(inner, value, { level: 'structured', place: 'a JSON patch' });
    }
  }
  addEmbedded(findings, inner, scalar, 'a patch');
}

function editable(
  name: YamlScalar,
  tag: YamlScalar | undefined,
  digest: YamlScalar | undefined,
): EditableParts {
  return {
    name: spanOf(name),
    ...(tag !== undefined && { tag: spanOf(tag) }),
    ...(digest !== undefined && { digest: spanOf(digest) }),
  };
}
