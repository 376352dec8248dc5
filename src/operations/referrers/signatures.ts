import { together } from '../../concurrency/together.ts';
import type { RegiError } from '../../errors.ts';
import { sameContent, type Descriptor } from '../../oci/descriptor.ts';
import { isIndexType } from '../../oci/media-types.ts';
import type { Source } from '../../store.ts';
import type { CarriedSignature } from '../../trust/collect.ts';
import { admissionText, admit, signaturesOf, type Gate } from '../../trust/gate.ts';
import type { Carried } from '../copy/index-entries.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';
import type { CopySession, Route } from '../copy/session.ts';
import { subjectsOf } from './walk.ts';

/** The root of an image, and what is written of it. */
export interface AdmittedRoots {
  readonly found: Descriptor;
  readonly root: Descriptor;
  /** The written root, where an index was narrowed. */
  readonly narrowed: ManifestNode | undefined;
  /** The manifests that are written of a sparse index; undefined where all are. */
  readonly carried: Carried | undefined;
}

/**
 * Asks a gate to admit an image. The signatures that it verified are then copied by their digests:
 * a server cannot exchange them in between.
 *
 * @returns copies the signatures. Call it when the image is at the destination without its tag.
 *   None is left out: it returns 0.
 * @throws {RegiError} POLICY_REFUSED unless the gate admits the image.
 */
export async function admitImage(
  session: CopySession,
  { source, destination }: Route,
  gate: Gate,
  roots: AdmittedRoots,
  signal: AbortSignal,
): Promise<(node: ManifestNode, signal: AbortSignal) => Promise<number>> {
  const own = await admittedSignatures(session, source, gate, roots, signal);
  const { carried } = roots;
  return async (node, either) => {
    const theirs = await signaturesOfChildren(session, source, gate, { node, carried }, either);
    await together(
      [...own, ...theirs].map(
        (signature) => (inner: AbortSignal) => land(session, signature, destination, inner),
      ),
      either,
    );
    return 0;
  };
}

/** Asks a gate to admit an image, and returns the signatures of its written root. */
export async function admittedSignatures(
  session: CopySession,
  source: Source,
  gate: Gate,
  { found, root, narrowed, carried }: AdmittedRoots,
  signal: AbortSignal,
): Promise<readonly CarriedSignature[]> {
  const isMade = narrowed?.manifest.kind === 'index' && !sameContent(found, root);
  const listed = isMade ? narrowed.manifest.manifests : undefined;
  const images =
    carried === undefined
      ? listed
      : [...carried.values()].filter(({ mediaType }) => !isIndexType(mediaType));
  const admission = await session.ask(source, signal, () =>
    admit(gate, source, { found: found.digest, landed: root.digest, isMade, images }, { signal }),
  );
  // The caller that verified the index has said so.
  if (gate.verified === undefined)
    session.onEvent({ kind: 'note', message: admissionText(gate, found.digest, admission) });
  warnOfFailures(session, admission.failures);
  return admission.carried;
}

/** One place that fails does not keep an image back that the policy accepts without it. */
function warnOfFailures(session: CopySession, failures: readonly RegiError[] = []): void {
  for (const { message, hint } of failures) {
    session.onEvent({
      kind: 'warning',
      message: `Signatures may be left behind: ${message}`,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/**
 * Returns the signatures of the carried manifests of an index, such as cosign makes with
 * `--recursive`.
 */
export async function signaturesOfChildren(
  session: CopySession,
  source: Source,
  gate: Gate,
  { node, carried }: Pick<AdmittedRoots, 'carried'> & { readonly node: ManifestNode },
  signal: AbortSignal,
): Promise<readonly CarriedSignature[]> {
  const [, ...children] = await subjectsOf(session, source, node, signal, carried);
  const found = await together(
    children.map(
      ({ digest }) =>
        (either: AbortSignal) =>
          session.ask(source, either, () => signaturesOf(gate, source, digest, { signal: either })),
    ),
    signal,
  );
  warnOfFailures(
    session,
    found.flatMap(({ failures }) => failures),
  );
  return found.flatMap((one) => one.carried);
}

async function land(
  session: CopySession,
  { source, descriptor, tag }: CarriedSignature,
  destination: Route['destination'],
  signal: AbortSignal,
): Promise<void> {
  const route = { source, destination };
  if (tag === undefined) return session.land(route, descriptor, signal);
  const node = await session.read(source, descriptor, signal);
  await session.landChildren(route, node, signal);
  await session.sendManifest(route, node, signal, tag);
}
