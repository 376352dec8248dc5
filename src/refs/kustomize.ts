import type { EditableParts, Findings } from './found.ts';
import { spanOf } from './image-keys.ts';
import { isReference } from './reference-text.ts';
import { child, itemsOf, textAt, type YamlNode, type YamlScalar } from './yaml-node.ts';

/**
 * Finds the images of a kustomization that say which tag or digest to use.
 *
 * @see https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/
 */
export function findInKustomization(findings: Findings, node: YamlNode): void {
  for (const image of itemsOf(child(node, 'images'))) {
    const selector = textAt(child(image, 'name'));
    const newName = textAt(child(image, 'newName'));
    const tag = textAt(child(image, 'newTag'));
    const digest = textAt(child(image, 'digest'));
    const name = newName ?? selector;
    if (name === undefined || (newName ?? tag ?? digest) === undefined) continue;
    const version =
      digest === undefined ? (tag === undefined ? '' : `:${tag.text}`) : `@${digest.text}`;
    const reference = `${name.text}${version}`;
    if (!isReference(reference)) continue;
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
