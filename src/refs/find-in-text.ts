import { findInChart, findInValues } from './charts.ts';
import { findInCompose, isCompose } from './compose.ts';
import { findInDockerfile } from './dockerfile.ts';
import { noFindings, partsOf, type Findings } from './found.ts';
import { findByKeys } from './image-keys.ts';
import { findInObject, isKubernetesObject } from './kubernetes.ts';
import { findInKustomization } from './kustomize.ts';
import { findInAction, findInGitLab, findInWorkflow, isWorkflow } from './pipelines.ts';
import { surelyReadsAsImage } from './reference-text.ts';
import { child, parseYaml, textAt, type Anchored, type YamlNode } from './yaml-node.ts';

/** What a file's neighbours say about it. */
export interface Surroundings {
  /** `appVersion` of the Chart.yaml beside it. */
  readonly appVersion?: string | undefined;
  /** The variables of a `.env` beside it. */
  readonly environment?: ReadonlyMap<string, string> | undefined;
}

/** The format that a file's name says, or undefined if files of that name are not read. */
export type FileFormat = 'dockerfile' | 'list' | 'yaml';

export type TextResult =
  | { readonly kind: 'read'; readonly findings: Findings }
  | { readonly kind: 'unread'; readonly reason: UnreadReason; readonly detail: string };

export type UnreadReason = 'invalid' | 'template';

/** Tells the format by the name of a file. */
export function formatOf(path: string): FileFormat | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (/^(?:Dockerfile|Containerfile)(?:\..+)?$|\.(?:Dockerfile|Containerfile)$/i.test(name)) {
    return 'dockerfile';
  }
  if (/\.(?:ya?ml|json)$/i.test(name) || name === 'Kustomization') return 'yaml';
  return /\.(?:txt|list)$/i.test(name) ? 'list' : undefined;
}

/**
 * Finds the references in one file's text, in the order of their positions.
 *
 * @param path with `/`, as the format of some files depends on their folder and name.
 */
export async function findInText(
  path: string,
  text: string,
  format: FileFormat,
  surroundings: Surroundings = {},
): Promise<TextResult> {
  const findings = noFindings();
  if (format === 'dockerfile') findInDockerfile(findings, text);
  else if (format === 'list') findInList(findings, text);
  else {
    const { documents, anchored, problem } = await parseYaml(text);
    // A template that happens to be YAML names no image either: its values are elsewhere.
    if (text.includes('{{') && (problem !== undefined || /(?:^|\/)templates\//.test(path))) {
      return { kind: 'unread', reason: 'template', detail: 'render it first: helm template' };
    }
    if (problem !== undefined) {
      return { kind: 'unread', reason: 'invalid', detail: problem.message };
    }
    for (const document of documents) {
      await findInDocument(findings, path, document, surroundings);
    }
    return { kind: 'read', findings: inOrder(withFixedAnchors(findings, anchored)) };
  }
  return { kind: 'read', findings: inOrder(findings) };
}

async function findInDocument(
  findings: Findings,
  path: string,
  document: YamlNode,
  { appVersion, environment = new Map<string, string>() }: Surroundings,
): Promise<void> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (/(?:^|\/)\.(?:github|gitea|forgejo)\/workflows\//.test(path) || isWorkflow(document))
    findInWorkflow(findings, document);
  else if (/^action\.ya?ml$/.test(name)) findInAction(findings, document);
  else if (/gitlab-ci\.ya?ml$|(?:^|\/)\.gitlab\//.test(path)) findInGitLab(findings, document);
  else if (name === 'Chart.yaml') await findInChart(findings, document);
  else if (isKustomization(name, document)) await findInKustomization(findings, document);
  else if (isFluxKustomization(document)) {
    const spec = child(document, 'spec');
    if (spec !== undefined) await findInKustomization(findings, spec);
  } else if (isKubernetesObject(document)) await findInObject(findings, document);
  else if (isCompose(document)) findInCompose(findings, document, environment);
  else if (/values[^/]*\.ya?ml$/i.test(name)) findInValues(findings, document, appVersion);
  else findInUnknown(findings, document);
}

function isKustomization(name: string, document: YamlNode): boolean {
  const apiVersion = textAt(child(document, 'apiVersion'))?.text ?? '';
  return (
    /^kustomization(?:\.ya?ml)?$/i.test(name) || apiVersion.startsWith('kustomize.config.k8s.io/')
  );
}

/** Flux has the fields of a kustomization below `spec`. */
function isFluxKustomization(document: YamlNode): boolean {
  return (
    textAt(child(document, 'apiVersion'))?.text.startsWith('kustomize.toolkit.fluxcd.io/') ?? false
  );
}

/** A file whose format is not known: only text that hardly anything else looks like. */
function findInUnknown(findings: Findings, document: YamlNode): void {
  const found = noFindings();
  findByKeys(found, document, { level: 'guess', place: 'a file of unknown format' });
  findings.found.push(...found.found.filter(({ reference }) => surelyReadsAsImage(reference)));
}

function findInList(findings: Findings, text: string): void {
  for (const { 0: line, index } of text.matchAll(/^.*$/gm)) {
    const reference = line.trim();
    if (!surelyReadsAsImage(reference)) continue;
    const start = index + line.indexOf(reference);
    findings.found.push({
      at: start,
      level: 'guess',
      kind: 'image',
      reference,
      why: 'line of a list',
      edit: partsOf(reference, start),
    });
  }
}

/**
 * Marks anchored texts that stand for something else too: their bytes are not the image's alone.
 */
function withFixedAnchors(findings: Findings, anchored: ReadonlyMap<number, Anchored>): Findings {
  const isShared = (at: number): boolean => {
    const anchor = anchored.get(at);
    if (anchor === undefined) return false;
    const here = findings.found.filter((finding) => finding.at === at);
    const images = here.filter(({ isAlias }) => isAlias === true).length;
    return images < anchor.aliases || (images === here.length && !anchor.isTemplate);
  };
  return {
    ...findings,
    found: findings.found.map((finding) =>
      isShared(finding.at)
        ? { ...finding, edit: { fixed: 'its anchor is also used where no image is meant' } }
        : finding,
    ),
  };
}

/** An alias leads to a place that was found already. */
function inOrder({ found, selectors, bases, unresolved, remarks }: Findings): Findings {
  const seen = new Set<number>();
  return {
    found: found
      .toSorted((one, other) => one.at - other.at)
      .filter(({ at }) => !seen.has(at) && seen.add(at) !== undefined),
    selectors,
    bases,
    unresolved: unresolved.toSorted((one, other) => one.at - other.at),
    remarks: remarks.toSorted((one, other) => one.at - other.at),
  };
}
