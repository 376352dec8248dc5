import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { repositoryName } from '../../oci/reference.ts';
import type { CopyJob } from '../../operations/copy/copy-image.ts';
import { quote } from '../../quote.ts';
import type { NamedImage } from '../../store.ts';
import type { ImagesLocation } from '../../targets/location.ts';
import type { ImageSource, Stores } from '../../targets/opened-store.ts';
import { admit, type Gate } from '../../trust/gate.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { isSignature, gateFor } from '../trust/gates.ts';
import type { ImportNaming, PlannedImport } from './names.ts';

/** Leaves out signatures, which are copied with the images that they sign. */
export async function withoutSignatures(
  from: ImageSource,
  { signal }: Context,
): Promise<ImageSource> {
  const images: NamedImage[] = [];
  for (const image of from.images)
    if (!(await isSignature(from.store, image.root, { signal }))) images.push(image);
  return { ...from, images };
}

/**
 * Opens the gate of an image. Its destination decides. Without PREFIX and --map that is the
 * archive's own choice, and no rule accepts the image unsigned.
 *
 * @returns the reason where no rule can admit it: the other images are still imported.
 */
export async function gateOfImport(
  policy: TrustPolicy | undefined,
  { entry, label, target }: PlannedImport,
  {
    naming: { prefix, mappings },
    location,
  }: { readonly location: ImagesLocation; readonly naming: ImportNaming },
  stores: Stores,
): Promise<{ readonly gate?: Gate; readonly refused?: RegiError }> {
  if (policy === undefined) return {};
  try {
    const gate = await gateFor(policy, { name: target.reference, text: label, location }, stores);
    if (gate.rule.kind === 'accept' && prefix === undefined && mappings.length === 0)
      throw new RegiError(
        'POLICY_REFUSED',
        `Cannot accept ${quote(label)} unsigned: only the archive says that it is of the scope ${gate.scope}`,
        { hint: 'say where it goes with a PREFIX or --map' },
      );
    return {
      gate: { ...gate, repository: entry.repository && repositoryName(entry.repository) },
    };
  } catch (error) {
    if (error instanceof RegiError && error.code === 'POLICY_REFUSED') return { refused: error };
    throw error;
  }
}

/**
 * Asks the gate before layers of an earlier archive are brought. The copy asks again, about the
 * same bytes.
 */
export async function admitWhole(
  { gate, source, reference }: CopyJob,
  signal: AbortSignal,
): Promise<void> {
  if (gate === undefined) return;
  const { digest } = await source.resolve(reference, { signal });
  await admit(gate, source, { found: digest, landed: digest, isMade: false }, { signal });
}
