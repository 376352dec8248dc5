import { FOLDED, partsOf, type Findings, type Level } from './found.ts';
import { readsAsImage, surelyReadsAsImage } from './reference-text.ts';
import { child, itemsOf, textAt, type YamlNode, type YamlScalar } from './yaml-node.ts';

/** `--config-reloader-image=quay.io/acme/reloader:v1`, or the value as the next argument. */
export function findInArguments(findings: Findings, list: YamlNode | undefined): void {
  let flag = '';
  for (const item of itemsOf(list)) {
    const scalar = textAt(item);
    if (scalar === undefined) continue;
    const joined = /^(?<flag>--?[A-Za-z][\w.-]*)=(?<value>.*)$/s.exec(scalar.text)?.groups;
    if (joined !== undefined) {
      addNamed(
        findings,
        joined['flag'] ?? '',
        scalar,
        (joined['flag']?.length ?? 0) + 1,
        'argument',
      );
      flag = '';
    } else if (scalar.text.startsWith('-')) flag = scalar.text;
    else {
      addNamed(findings, flag, scalar, 0, 'argument');
      flag = '';
    }
  }
}

/** The variables of a container: a list of `name` and `value`. */
export function findInEnvironment(findings: Findings, list: YamlNode | undefined): void {
  for (const variable of itemsOf(list)) {
    const value = textAt(child(variable, 'value'));
    const name = textAt(child(variable, 'name'))?.text ?? '';
    if (value !== undefined) addNamed(findings, name, value, 0, 'variable');
  }
}

/** A name that says image makes its value `structured`; any other value is a guess at best. */
function addNamed(
  findings: Findings,
  name: string,
  scalar: YamlScalar,
  offset: number,
  what: string,
): void {
  const text = scalar.text.slice(offset);
  const saysImage = /image/i.test(name) && !/policy|secret/i.test(name);
  const level: Level | undefined =
    saysImage && readsAsImage(text) ? 'structured' : surelyReadsAsImage(text) ? 'guess' : undefined;
  if (level === undefined) return;
  const start = scalar.positionOf(offset);
  findings.found.push({
    at: start ?? scalar.start,
    level,
    kind: 'image',
    reference: text,
    why: name === '' ? what : `${what} ${name}`,
    edit: start === undefined ? FOLDED : partsOf(text, start),
  });
}
