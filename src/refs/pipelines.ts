import type { Findings } from './found.ts';
import { addScalar, FOLDED } from './image-keys.ts';
import { partsOf } from './found.ts';
import { isReference } from './reference-text.ts';
import { addExpanded } from './scalar-with-variables.ts';
import { child, entriesOf, itemsOf, textAt, type YamlNode } from './yaml-node.ts';

/** Finds containers, services and `docker://` actions of a GitHub workflow. */
export function findInWorkflow(findings: Findings, node: YamlNode): void {
  for (const { key, value: job } of entriesOf(child(node, 'jobs'))) {
    const container = child(job, 'container');
    addGitHub(
      findings,
      container?.kind === 'map' ? child(container, 'image') : container,
      `container of job ${key}`,
    );
    for (const service of entriesOf(child(job, 'services'))) {
      addGitHub(findings, child(service.value, 'image'), `service ${service.key} of job ${key}`);
    }
    findInSteps(findings, child(job, 'steps'));
  }
}

/** Finds the image of a GitHub action, and those of its steps. */
export function findInAction(findings: Findings, node: YamlNode): void {
  addDockerUrl(findings, child(node, 'runs', 'image'), 'image of the action');
  findInSteps(findings, child(node, 'runs', 'steps'));
}

function findInSteps(findings: Findings, steps: YamlNode | undefined): void {
  for (const step of itemsOf(steps)) addDockerUrl(findings, child(step, 'uses'), 'uses of a step');
}

function addGitHub(findings: Findings, node: YamlNode | undefined, why: string): void {
  const scalar = textAt(node);
  if (scalar === undefined) return;
  const expression = /\$\{\{\s*(?<name>[^}]*?)\s*\}\}/.exec(scalar.text)?.groups?.['name'];
  if (expression === undefined) addScalar(findings, scalar, { level: 'exact', why });
  else findings.unresolved.push({ at: scalar.start, text: scalar.text, variables: [expression] });
}

function addDockerUrl(findings: Findings, node: YamlNode | undefined, why: string): void {
  const scalar = textAt(node);
  const reference = /^docker:\/\/(?<reference>.+)$/.exec(scalar?.text ?? '')?.groups?.['reference'];
  if (scalar === undefined || reference === undefined || !isReference(reference)) return;
  const start = scalar.positionOf('docker://'.length);
  findings.found.push({
    at: start ?? scalar.start,
    level: 'exact',
    kind: 'image',
    reference,
    why,
    edit: start === undefined ? FOLDED : partsOf(reference, start),
  });
}

/** Keys of a GitLab file that are no jobs. */
const GITLAB_KEYWORDS: ReadonlySet<string> = new Set([
  'cache',
  'include',
  'pages',
  'spec',
  'stages',
  'variables',
  'workflow',
]);

/**
 * Finds images and services of GitLab jobs.
 *
 * @see https://docs.gitlab.com/ee/ci/yaml/#image
 */
export function findInGitLab(findings: Findings, node: YamlNode): void {
  const shared = variablesOf(child(node, 'variables'));
  addGitLabJob(findings, node, 'the pipeline', shared);
  for (const { key, value } of entriesOf(node)) {
    if (value.kind !== 'map' || (GITLAB_KEYWORDS.has(key) && key !== 'pages')) continue;
    const own = variablesOf(child(value, 'variables'));
    addGitLabJob(findings, value, `job ${key}`, new Map([...shared, ...own]));
  }
}

function addGitLabJob(
  findings: Findings,
  job: YamlNode,
  place: string,
  variables: ReadonlyMap<string, string>,
): void {
  const valueOf = (name: string): string | undefined => variables.get(name);
  const add = (node: YamlNode | undefined, why: string): void =>
    addExpanded(
      findings,
      node?.kind === 'map' ? child(node, 'name') : node,
      { level: 'exact', why },
      valueOf,
    );
  add(child(job, 'image'), `image of ${place}`);
  for (const service of itemsOf(child(job, 'services'))) add(service, `service of ${place}`);
}

function variablesOf(node: YamlNode | undefined): ReadonlyMap<string, string> {
  return new Map(
    entriesOf(node).flatMap(({ key, value }): readonly (readonly [string, string])[] => {
      const scalar = textAt(value.kind === 'map' ? child(value, 'value') : value);
      return scalar === undefined || scalar.text.includes('$') ? [] : [[key, scalar.text]];
    }),
  );
}
