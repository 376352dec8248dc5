import { FOLDED, noFindings, type Findings } from './found.ts';
import {
  addEmbedded,
  addScalar,
  addUnresolved,
  findByKeys,
  isImageKey,
  spanOf,
} from './image-keys.ts';
import { findInArguments, findInEnvironment } from './named-values.ts';
import { isReference, readsAsImage, surelyReadsAsImage } from './reference-text.ts';
import {
  child,
  entriesOf,
  itemsOf,
  parseYaml,
  textAt,
  type YamlNode,
  type YamlScalar,
} from './yaml-node.ts';

/** True if the document is a Kubernetes object. */
export function isKubernetesObject(node: YamlNode): boolean {
  return (
    textAt(child(node, 'apiVersion'))?.value !== undefined &&
    textAt(child(node, 'kind'))?.value !== undefined
  );
}

/**
 * Paths of a PodSpec by `group/kind`, for the kinds of Kubernetes and for the custom resources that
 * embed one. `*` stands for each entry of a map or item of a list.
 */
const POD_SPECS: Readonly<Record<string, readonly string[]>> = {
  '/Pod': ['spec'],
  '/PodTemplate': ['template', 'spec'],
  '/ReplicationController': ['spec', 'template', 'spec'],
  'apps/DaemonSet': ['spec', 'template', 'spec'],
  'apps/Deployment': ['spec', 'template', 'spec'],
  'apps/ReplicaSet': ['spec', 'template', 'spec'],
  'apps/StatefulSet': ['spec', 'template', 'spec'],
  'extensions/DaemonSet': ['spec', 'template', 'spec'],
  'extensions/Deployment': ['spec', 'template', 'spec'],
  'extensions/ReplicaSet': ['spec', 'template', 'spec'],
  'batch/Job': ['spec', 'template', 'spec'],
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  'serving.knative.dev/Service': ['spec', 'template', 'spec'],
  'serving.knative.dev/Configuration': ['spec', 'template', 'spec'],
  'serving.knative.dev/Revision': ['spec'],
  'argoproj.io/Rollout': ['spec', 'template', 'spec'],
  'apps.openshift.io/DeploymentConfig': ['spec', 'template', 'spec'],
  'apps.kruise.io/CloneSet': ['spec', 'template', 'spec'],
  'apps.kruise.io/StatefulSet': ['spec', 'template', 'spec'],
  'apps.kruise.io/DaemonSet': ['spec', 'template', 'spec'],
  'keda.sh/ScaledJob': ['spec', 'jobTargetRef', 'template', 'spec'],
  'batch.volcano.sh/Job': ['spec', 'tasks', '*', 'template', 'spec'],
  'jobset.x-k8s.io/JobSet': ['spec', 'replicatedJobs', '*', 'template', 'spec', 'template', 'spec'],
  'leaderworkerset.x-k8s.io/LeaderWorkerSet': [
    'spec',
    'leaderWorkerTemplate',
    'workerTemplate',
    'spec',
  ],
  'kubeflow.org/PyTorchJob': ['spec', 'pytorchReplicaSpecs', '*', 'template', 'spec'],
  'kubeflow.org/TFJob': ['spec', 'tfReplicaSpecs', '*', 'template', 'spec'],
  'kubeflow.org/MPIJob': ['spec', 'mpiReplicaSpecs', '*', 'template', 'spec'],
};

/** Groups of Kubernetes itself. Outside a PodSpec their kinds name no image. */
const BUILT_IN_GROUP = /^(?:|apps|autoscaling|batch|extensions|policy|(?:[a-z-]+\.)+k8s\.io)$/;
/** Groups below `k8s.io` whose kinds are custom resources nevertheless. */
const CUSTOM_GROUP = /x-k8s\.io$|^kops\.|^cluster\./;

/** Finds the references of one object, or of the objects in a List. */
export async function findInObject(findings: Findings, object: YamlNode): Promise<void> {
  const kind = textAt(child(object, 'kind'))?.text ?? '';
  const apiVersion = textAt(child(object, 'apiVersion'))?.text ?? '';
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
  if (kind === 'List' || (kind.endsWith('List') && child(object, 'items') !== undefined)) {
    for (const item of itemsOf(child(object, 'items'))) await findInObject(findings, item);
    return;
  }
  if (group === 'source.toolkit.fluxcd.io' && kind === 'OCIRepository') {
    addOciRepository(findings, object);
    return;
  }
  const path = POD_SPECS[`${group}/${kind}`];
  if (path !== undefined) {
    for (const podSpec of follow(object, path)) findInPodSpec(findings, podSpec, kind);
    if (kind === 'LeaderWorkerSet') {
      const leader = child(object, 'spec', 'leaderWorkerTemplate', 'leaderTemplate', 'spec');
      if (leader !== undefined) findInPodSpec(findings, leader, kind);
    }
    return;
  }
  if (kind === 'ConfigMap' && group === '') await findInConfigMap(findings, object);
  else if (!BUILT_IN_GROUP.test(group) || CUSTOM_GROUP.test(group)) {
    await findInCustomResource(findings, object, kind);
  }
}

function follow(node: YamlNode, path: readonly string[]): readonly YamlNode[] {
  const [key, ...rest] = path;
  if (key === undefined) return [node];
  if (key === '*') {
    const below = node.kind === 'list' ? node.items : entriesOf(node).map(({ value }) => value);
    return below.flatMap((item) => follow(item, rest));
  }
  const next = child(node, key);
  return next === undefined ? [] : follow(next, rest);
}

function findInPodSpec(findings: Findings, podSpec: YamlNode, kind: string): void {
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of itemsOf(child(podSpec, list))) {
      const why = `image of a container of kind ${kind}`;
      addScalar(findings, child(container, 'image'), { level: 'exact', why });
      findInArguments(findings, child(container, 'command'));
      findInArguments(findings, child(container, 'args'));
      findInEnvironment(findings, child(container, 'env'));
    }
  }
  for (const volume of itemsOf(child(podSpec, 'volumes'))) {
    const why = `image volume of kind ${kind}`;
    addScalar(findings, child(volume, 'image', 'reference'), { level: 'exact', why });
  }
}

function addOciRepository(findings: Findings, object: YamlNode): void {
  const url = textAt(child(object, 'spec', 'url'));
  const name = url?.text.replace(/^oci:\/\//, '');
  if (url === undefined || name === undefined || name === url.text) return;
  const range = textAt(child(object, 'spec', 'ref', 'semver'));
  if (range !== undefined) {
    findings.remarks.push({
      at: range.start,
      message: `${name} has the version range ${range.text}: name a tag to find it`,
    });
    return;
  }
  const tag = textAt(child(object, 'spec', 'ref', 'tag'))?.text;
  const digestNode = textAt(child(object, 'spec', 'ref', 'digest'));
  const digest = digestNode?.text;
  const reference =
    name + (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
  const start = url.positionOf('oci://'.length);
  if (!isReference(reference)) {
    addUnresolved(findings, start ?? url.start, reference);
    return;
  }
  findings.found.push({
    at: start ?? url.start,
    level: 'exact',
    kind: 'artifact',
    reference,
    why: 'url of kind OCIRepository',
    edit:
      start === undefined
        ? FOLDED
        : {
            name: { start, end: start + name.length },
            ...(digestNode !== undefined && { digest: spanOf(digestNode) }),
          },
  });
}

async function findInCustomResource(
  findings: Findings,
  object: YamlNode,
  kind: string,
): Promise<void> {
  const annotations = child(object, 'metadata', 'annotations');
  const annotated = textAt(child(annotations, 'containerImage'));
  if (annotated !== undefined && readsAsImage(annotated.text)) {
    addScalar(findings, annotated, { level: 'structured', why: `annotation of kind ${kind}` });
  }
  const rules = { level: 'structured' as const, place: `kind ${kind}` };
  for (const { key, value } of entriesOf(object)) {
    if (key !== 'metadata' && key !== 'status') findByKeys(findings, value, rules);
  }
  // k3s: a chart's values as text.
  const values = textAt(child(object, 'spec', 'valuesContent'));
  if (values !== undefined) await findInValuesText(findings, values, 'valuesContent');
}

async function findInConfigMap(findings: Findings, object: YamlNode): Promise<void> {
  for (const { key, value } of entriesOf(child(object, 'data'))) {
    const scalar = textAt(value);
    if (scalar === undefined) continue;
    const { text } = scalar;
    if (!text.includes('\n')) {
      if (isImageKey(key) && readsAsImage(text))
        addScalar(findings, scalar, { level: 'structured', why: `${key} of a ConfigMap` });
    } else if (/values[^/]*\.ya?ml$/i.test(key)) await findInValuesText(findings, scalar, key);
    else if (/image|repository/i.test(text)) await findInConfigText(findings, scalar, key);
  }
}

async function findInValuesText(
  findings: Findings,
  scalar: YamlScalar,
  key: string,
): Promise<void> {
  const inner = noFindings();
  for (const document of (await parseYaml(scalar.text)).documents) {
    if (isKubernetesObject(document)) await findInObject(inner, document);
    else findByKeys(inner, document, { level: 'structured', place: key });
  }
  addEmbedded(findings, inner, scalar, key);
}

/** Configuration of any program: only text that hardly anything else looks like. */
async function findInConfigText(
  findings: Findings,
  scalar: YamlScalar,
  key: string,
): Promise<void> {
  const { documents, problem } = await parseYaml(scalar.text);
  if (problem !== undefined) {
    if (scalar.text.includes('{{') && /^[ \t-]*image:/m.test(scalar.text)) {
      const message = `${key} is a template: its images are not known before it is rendered`;
      findings.remarks.push({ at: scalar.start, message });
    }
    return;
  }
  const inner = noFindings();
  for (const document of documents) {
    if (isKubernetesObject(document)) await findInObject(inner, document);
    else {
      const found = noFindings();
      findByKeys(found, document, { level: 'structured', place: key });
      inner.found.push(...found.found.filter(({ reference }) => surelyReadsAsImage(reference)));
    }
  }
  addEmbedded(findings, inner, scalar, key);
}
