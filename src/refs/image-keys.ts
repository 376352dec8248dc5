import {
  FOLDED,
  partsOf,
  type EditableParts,
  type Findings,
  type FixedText,
  type Level,
  type ReferenceKind,
  type Span,
} from './found.ts';
import { findInArguments, findInEnvironment } from './named-values.ts';
import { isReference, readsAsImage } from './reference-text.ts';
import { quote } from '../quote.ts';
import { placeholdersIn } from './variables.ts';
import { child, textAt, type YamlMap, type YamlNode, type YamlScalar } from './yaml-node.ts';

export interface KeyRules {
  readonly level: Level;
  /** Names the place in messages: `values`, `kind Kafka`. */
  readonly place: string;
  /** Used for a `tag` that is empty or absent, as charts do. */
  readonly appVersion?: string | undefined;
}

export interface ReferencePlace {
  readonly level: Level;
  readonly why: string;
  readonly kind?: ReferenceKind | undefined;
}

/**
 * Adds a scalar that is a whole reference. Text that docker would not take is reported: the
 * placeholders in it, or, where the format allows nothing else, the text itself.
 */
export function addScalar(
  findings: Findings,
  node: YamlNode | undefined,
  { level, why, kind = 'image' }: ReferencePlace,
): void {
  const scalar = textAt(node);
  if (scalar === undefined) return;
  if (!isReference(scalar.text)) {
    const isPartial = addUnresolved(findings, scalar.start, scalar.text);
    if (level === 'exact' && !isPartial) remarkOnName(findings, scalar.start, scalar.text);
    return;
  }
  findings.found.push({
    at: scalar.start,
    level,
    kind,
    reference: scalar.text,
    why,
    edit: editOf(scalar),
    isAlias: scalar.isAlias,
  });
}

/** The replaceable parts of a scalar that is a whole reference. */
export function editOf(scalar: YamlScalar): EditableParts | FixedText {
  return scalar.isVerbatim ? partsOf(scalar.text, scalar.start) : FOLDED;
}

/** Adds a text with placeholders. Returns whether it has some. */
export function addUnresolved(findings: Findings, at: number, text: string): boolean {
  const variables = placeholdersIn(text);
  if (variables.length > 0) findings.unresolved.push({ at, text, variables });
  return variables.length > 0;
}

/** Remarks on text that no registry accepts as a name, where an image is meant. */
export function remarkOnName(findings: Findings, at: number, text: string): void {
  findings.remarks.push({ at, message: `${quote(text)} is no valid image name` });
}

/** Adds the reference behind a prefix such as `docker://`. Other text names no image. */
export function addPrefixed(
  findings: Findings,
  node: YamlNode | undefined,
  prefix: RegExp,
  why: string,
): void {
  const scalar = textAt(node);
  const offset = prefix.exec(scalar?.text ?? '')?.[0].length;
  if (scalar === undefined || offset === undefined) return;
  const reference = scalar.text.slice(offset);
  const start = scalar.positionOf(offset);
  if (!isReference(reference)) {
    addUnresolved(findings, start ?? scalar.start, reference);
    return;
  }
  findings.found.push({
    at: start ?? scalar.start,
    level: 'exact',
    kind: 'image',
    reference,
    why,
    edit: start === undefined ? FOLDED : partsOf(reference, start),
  });
}

/** Adds the findings of YAML inside a scalar: none of them is more than `structured`. */
export function addEmbedded(
  findings: Findings,
  inner: Findings,
  scalar: YamlScalar,
  key: string,
): void {
  for (const finding of inner.found) {
    findings.found.push({
      ...finding,
      at: scalar.positionOf(finding.at) ?? scalar.start,
      level: finding.level === 'exact' ? 'structured' : finding.level,
      why: `${finding.why} in ${key}`,
      edit: movedParts(finding.edit, scalar),
    });
  }
  const moved = <Item extends { readonly at: number }>(item: Item): Item => ({
    ...item,
    at: scalar.positionOf(item.at) ?? scalar.start,
  });
  findings.unresolved.push(...inner.unresolved.map((item) => moved(item)));
  findings.remarks.push(...inner.remarks.map((item) => moved(item)));
}

function movedParts(edit: EditableParts | FixedText, scalar: YamlScalar): typeof edit {
  if ('fixed' in edit) return edit;
  const move = (span: Span | undefined): Span | undefined => {
    const start = span === undefined ? undefined : scalar.positionOf(span.start);
    return span === undefined || start === undefined
      ? undefined
      : { start, end: start + span.end - span.start };
  };
  const name = move(edit.name);
  return name === undefined
    ? FOLDED
    : {
        name,
        registry: move(edit.registry),
        tag: move(edit.tag),
        digest: move(edit.digest),
        end: edit.end === undefined ? undefined : scalar.positionOf(edit.end),
      };
}

/** Finds references by the names of keys, in Helm values and in custom resources. */
export function findByKeys(findings: Findings, node: YamlNode, rules: KeyRules): void {
  if (node.kind === 'list') for (const item of node.items) findByKeys(findings, item, rules);
  if (node.kind !== 'map') return;
  const isSplit = addSplit(findings, node, rules, false);
  for (const { key, value } of node.entries) {
    if (value.kind === 'scalar') {
      if (isImageKey(key)) addImageScalar(findings, key, value, rules);
    } else if (value.kind === 'list' && rules.level !== 'guess' && /^args$|Args$/.test(key)) {
      findInArguments(findings, value);
    } else if (value.kind === 'list' && rules.level !== 'guess' && /^env$|Env$/.test(key)) {
      findInEnvironment(findings, value);
    } else if (value.kind === 'map' && key === 'image') {
      // `image:` is the one key below which `name` is a repository.
      if (!addSplit(findings, value, rules, true)) findByKeys(findings, value, rules);
      else findBelow(findings, value, rules);
    } else if (!(isSplit && SPLIT_KEYS.has(key))) findByKeys(findings, value, rules);
  }
}

const SPLIT_KEYS = new Set(['registry', 'repository', 'name', 'tag', 'digest']);

function findBelow(findings: Findings, map: YamlMap, rules: KeyRules): void {
  for (const { value } of map.entries)
    if (value.kind !== 'scalar') findByKeys(findings, value, rules);
}

/** `image`, `proxyImage`, `imageName`, `image_name`, `default-image`, `RELATED_IMAGE_X`. */
export function isImageKey(key: string): boolean {
  return (
    /^image$|[a-z0-9]Image$|[_-]image$|^image[_-]?name$|^related_image_/i.test(key) &&
    !/policy/i.test(key)
  );
}

function addImageScalar(findings: Findings, key: string, value: YamlScalar, rules: KeyRules): void {
  if (typeof value.value !== 'string') return;
  if (rules.level !== 'guess' && addUnresolved(findings, value.start, value.text)) return;
  // One word may be anything: a logo, a flavour, a machine image.
  const level = readsAsImage(value.text) ? rules.level : 'guess';
  if (level === 'guess' && rules.level !== 'guess' && !/^[a-z][a-z0-9-]*$/.test(value.text)) return;
  addScalar(findings, value, { level, why: `${key} of ${rules.place}` });
}

/**
 * Adds `repository` with `tag` or `digest`, or `image` with a `tag` beside it. Returns whether the
 * map is such a reference.
 */
function addSplit(findings: Findings, map: YamlMap, rules: KeyRules, isImage: boolean): boolean {
  const image = bareImage(map);
  const repository =
    textAt(child(map, 'repository')) ?? (isImage ? textAt(child(map, 'name')) : image);
  const tagNode =
    child(map, 'tag') ?? (isImage ? child(map, 'version') : image && child(map, 'imageTag'));
  const digest = textAt(child(map, 'digest')) ?? textAt(child(map, 'sha'));
  if (repository === undefined || typeof repository.value !== 'string') return false;
  const isNamed = tagNode !== undefined || digest !== undefined;
  if (!isNamed && !isImage) return false;
  const registry = textAt(child(map, 'registry'));
  const tag = textAt(tagNode);
  if (repository === image && (tag === undefined || !isReference(`${image.text}:${tag.text}`))) {
    return false;
  }
  const name = registry === undefined ? repository.text : `${registry.text}/${repository.text}`;
  const digestText = digest?.text.replace(/^@/, '');
  const isKnown = tag !== undefined || digestText !== undefined;
  const version = tag?.text ?? (isKnown ? undefined : rules.appVersion);
  const reference =
    name +
    (version === undefined ? '' : `:${version}`) +
    (digestText === undefined
      ? ''
      : `@${digestText.includes(':') ? digestText : `sha256:${digestText}`}`);
  if (!isReference(reference)) {
    return rules.level !== 'guess' && addUnresolved(findings, repository.start, reference);
  }
  remarkOnNumber(findings, tag);
  findings.found.push({
    at: repository.start,
    level: isKnown ? rules.level : 'guess',
    kind: 'image',
    reference,
    why: `${registry === undefined ? '' : 'registry, '}${repository === image ? 'image' : 'repository'}${isKnown ? '' : ' without tag'} of ${rules.place}`,
    edit: splitParts(registry, repository, tag, child(map, 'digest')),
  });
  return true;
}

/** The value of `image` where it is a path without a tag, which a key beside it may hold. */
function bareImage(map: YamlMap): YamlScalar | undefined {
  const image = textAt(child(map, 'image'));
  return image?.isVerbatim === true && /^[^:@]*\/[^:@]*$/.test(image.text) ? image : undefined;
}

function splitParts(
  registry: YamlScalar | undefined,
  repository: YamlScalar,
  tag: YamlScalar | undefined,
  digestNode: YamlNode | undefined,
): EditableParts | FixedText {
  if (registry?.isVerbatim === false || !repository.isVerbatim) return FOLDED;
  // An empty `digest: ""` is there to be filled.
  const digest =
    digestNode?.kind === 'scalar' && digestNode.value !== null ? digestNode : undefined;
  return {
    name: spanOf(repository),
    ...(registry !== undefined && { registry: spanOf(registry) }),
    ...(tag !== undefined && { tag: spanOf(tag) }),
    ...(digest !== undefined && { digest: spanOf(digest) }),
  };
}

/** The characters typed for a scalar, without quotes. */
export function spanOf({ start, typed }: YamlScalar): Span {
  return { start, end: start + typed.length };
}

/** Helm renders an unquoted 1.10 as 1.1. */
function remarkOnNumber(findings: Findings, tag: YamlScalar | undefined): void {
  if (tag === undefined || typeof tag.value !== 'number' || tag.typed === tag.text) return;
  findings.remarks.push({
    at: tag.start,
    message: `tag: ${tag.typed} is the number ${tag.text}; write '${tag.typed}'`,
  });
}
