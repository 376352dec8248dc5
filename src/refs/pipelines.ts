import type { Findings } from './found.ts';
import { addPrefixed, addScalar } from './image-keys.ts';
import { addExpanded } from './scalar-with-variables.ts';
import { child, entriesOf, itemsOf, textAt, type YamlNode } from './yaml-node.ts';

const DOCKER_URL = /^docker:\/\//;

/** True for a document with jobs as GitHub writes them, which may be in any folder. */
export function isWorkflow(node: YamlNode): boolean {
  return (
    child(node, 'on') !== undefined &&
    entriesOf(child(node, 'jobs')).some(
      ({ value }) => child(value, 'runs-on') !== undefined || child(value, 'uses') !== undefined,
    )
  );
}

/** Finds containers, services and `docker://` actions of a GitHub workflow. */
export function findInWorkflow(findings: Findings, node: YamlNode): void {
  for (const { key, value: job } of entriesOf(child(node, 'jobs'))) {
    const container = child(job, 'container');
    addScalar(findings, container?.kind === 'map' ? child(container, 'image') : container, {
      level: 'exact',
      why: `container of job ${key}`,
    });
    for (const service of entriesOf(child(job, 'services'))) {
      const why = `service ${service.key} of job ${key}`;
      addScalar(findings, child(service.value, 'image'), { level: 'exact', why });
    }
    findInSteps(findings, child(job, 'steps'));
  }
}

/** Finds the image of a GitHub action, and those of its steps. */
export function findInAction(findings: Findings, node: YamlNode): void {
  addPrefixed(findings, child(node, 'runs', 'image'), DOCKER_URL, 'image of the action');
  findInSteps(findings, child(node, 'runs', 'steps'));
}

function findInSteps(findings: Findings, steps: YamlNode | undefined): void {
  for (const step of itemsOf(steps)) {
    addPrefixed(findings, child(step, 'uses'), DOCKER_URL, 'uses of a step');
  }
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
