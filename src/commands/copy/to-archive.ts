import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { imageName, isTag, parseReference, parseTag, withDefaultTag } from '../../oci/reference.ts';
import type { ExportJob } from '../../operations/archive/collect-images.ts';
import { exportImages } from '../../operations/archive/export-images.ts';
import { openArchiveDestination } from '../../targets/archive-file.ts';
import type { Location } from '../../targets/location.ts';
import type { OpenedStore, Stores } from '../../targets/opened-store.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { copyOptions } from '../arguments/copy-options.ts';
import { digestRow, openDigestFile, type DigestRow } from '../output/digest-row.ts';
import { gateOfCopy } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';
import { copyingOf, type CopyRequest } from './jobs.ts';

/** Copies one image into a new archive, which replaces an existing file when it is complete. */
export async function* copyToArchive(
  request: Extract<CopyRequest, { readonly kind: 'archive' }>,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): AsyncIterable<DigestRow> {
  const refused = ['all-tags', 'no-clobber', 'referrers', 'dry-run'].find((name) =>
    flag(args, name),
  );
  if (value(args, 'format') !== undefined)
    throw new UsageError('Cannot use --format with an archive as the destination', {
      hint: 'copy into a layout first: regi copy --format oci SRC oci:DIR',
    });
  if (refused !== undefined || values(args, 'tags').length > 0)
    throw new UsageError(`Cannot use --${refused ?? 'tags'} with an archive as the destination`, {
      hint: 'write several images at once: regi export REF… -o FILE',
    });
  const { source, destination } = request;
  const policy = await readPolicy(args, context);
  const from = await stores.open(source, 'source');
  const gate = await gateOfCopy(policy, copyingOf(request, from), stores);
  const archive = openArchiveDestination(destination, context);
  const { name, format } = archive;
  const job: ExportJob = {
    source: from.store,
    reference: from.reference,
    ...nameInArchive(from, source, destination.reference),
    image: imageName(name, { tag: destination.reference }),
    gate,
  };
  const { signal, onEvent, platforms, sparse, lanes, foreignLayers } = copyOptions(args, context);
  const record = await openDigestFile(value(args, 'digestfile'), context);
  async function* jobs(): AsyncGenerator<ExportJob> {
    yield job;
  }
  const options = { signal, onEvent, platforms, sparse, lanes, foreignLayers, format };
  for (const { image, root } of await exportImages(jobs(), archive.write, options)) {
    const row = digestRow({ image, root, outcome: 'copied' }, name);
    await record(row);
    // A row on standard output would become part of the archive.
    if (archive.isOutput) context.note(`${image}@${root.digest}`);
    else yield row;
  }
}

/**
 * Returns the name of an image in an archive: its full name where that is known.
 *
 * @param wanted the name typed after the file: a tag or a full reference.
 */
export function nameInArchive(
  from: Pick<OpenedStore, 'fullName' | 'tag'>,
  source: Location,
  wanted: string | undefined,
): Pick<ExportJob, 'name' | 'tag'> {
  const own = ownName(from, source);
  if (wanted === undefined) return own;
  if (!isTag(wanted)) return { name: withDefaultTag(parseReference(wanted)) };
  const tag = parseTag(wanted);
  return own.name === undefined
    ? { tag }
    : { name: { domain: own.name.domain, path: own.name.path, tag } };
}

function ownName(
  { fullName, tag }: Pick<OpenedStore, 'fullName' | 'tag'>,
  source: Location,
): Pick<ExportJob, 'name' | 'tag'> {
  if (fullName !== undefined) return { name: fullName };
  if (!('path' in source)) return { name: withDefaultTag(source.reference) };
  if (tag === undefined) return {};
  return isTag(tag) ? { tag } : { name: withDefaultTag(parseReference(tag)) };
}
