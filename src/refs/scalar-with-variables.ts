import { FOLDED, partsOf, type Findings } from './found.ts';
import { editOf, remarkOnName, type ReferencePlace } from './image-keys.ts';
import { isReference } from './reference-text.ts';
import { expandVariables } from './variables.ts';
import { textAt, type YamlNode } from './yaml-node.ts';

/**
 * Adds a scalar in which variables stand. A reference that lacks a variable's value is unresolved.
 */
export function addExpanded(
  findings: Findings,
  node: YamlNode | undefined,
  place: ReferencePlace,
  valueOf: (name: string) => string | undefined,
): void {
  const scalar = textAt(node);
  if (scalar === undefined) return;
  const { text, missing, hasVariables } = expandVariables(scalar.text, valueOf);
  if (missing.length > 0) {
    findings.unresolved.push({ at: scalar.start, text: scalar.text, variables: missing });
    return;
  }
  if (!isReference(text)) {
    remarkOnName(findings, scalar.start, text);
    return;
  }
  findings.found.push({
    at: scalar.start,
    level: place.level,
    kind: place.kind ?? 'image',
    reference: text,
    why: place.why,
    isAlias: scalar.isAlias,
    edit: hasVariables
      ? scalar.isVerbatim
        ? literalName(scalar.text, scalar.start)
        : FOLDED
      : editOf(scalar),
  });
}

/** The name can be replaced where no variable stands in it: `node:${VERSION}`. */
export function literalName(text: string, start: number): ReturnType<typeof editOf> {
  const variableAt = text.indexOf('$');
  const { name } = partsOf(text.slice(0, variableAt), start);
  return text[name.end - start] === ':'
    ? { name }
    : { fixed: 'a variable stands in the name of the repository' };
}
