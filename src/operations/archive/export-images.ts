import { bytesOf, verified } from '../../bytes.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatReference } from '../../oci/reference.ts';
import type { Bytes } from '../../store.ts';
import type {
  ArchivePart,
  ArchivePlan,
  ArchiveTarget,
  WriteArchive,
} from '../../tar/archive-target.ts';
import type { CarriedBlob } from '../../tar/carried-blobs.ts';
import { tarBytes } from '../../tar/plan-tar.ts';
import { omissionOf } from './carried-layers.ts';
import {
  collectImages,
  type CollectOptions,
  type ExportJob,
  type ImageSet,
} from './collect-images.ts';
import { CopySession, type CopySessionOptions } from '../copy/session.ts';
import { DOCKER_PLATFORM, dockerImages } from './docker-images.ts';
import { Lanes } from '../../concurrency/lanes.ts';
import { planArchive, type ArchiveFormat, type PlanOptions } from './plan-archive.ts';
import { together } from '../../concurrency/together.ts';

export interface ExportOptions
  extends
    CollectOptions,
    Pick<CopySessionOptions, 'onEvent' | 'lanes'>,
    Pick<PlanOptions, 'omit' | 'extra'> {
  /** Layers that the reader has from earlier archives: they are left out, and a record in the archive says so. */
  readonly earlier?: ReadonlyMap<Digest, CarriedBlob> | undefined;
  readonly format?: ArchiveFormat | undefined;
  /** Which platform of an index docker's manifest.json names; linux/amd64 when absent. */
  readonly dockerPlatform?: Platform | undefined;
  /** Looks at the plan before anything is written: refuses it by throwing. */
  readonly onPlan?: ((plan: ArchivePlan, set: ImageSet) => void) | undefined;
}

/** One image that is in the archive. */
export interface ExportedImage {
  /** As its job has it. */
  readonly image: string;
  /** What the archive calls it: `docker.io/library/debian:12`, or a bare tag; undefined for an image without a name. */
  readonly name: string | undefined;
  readonly root: Descriptor;
}

/** What skopeo and podman read of a manifest.json at most. Bytes. */
const OTHERS_READ_BYTES = 1024 * 1024;

/**
 * Writes images into one archive: each node once, every byte verified, the archive visible only when it is whole.
 *
 * @throws {ExportError} when an image cannot be read, {ContentMismatchError} when a blob is not what its digest says.
 */
export async function exportImages(
  jobs: AsyncIterable<ExportJob>,
  write: WriteArchive,
  options: ExportOptions = {},
): Promise<readonly ExportedImage[]> {
  const {
    format = 'both',
    dockerPlatform = DOCKER_PLATFORM,
    earlier,
    onEvent = () => {},
  } = options;
  const session = new CopySession(options);
  const signal = options.signal ?? new AbortController().signal;
  const set = await collectImages(session, jobs, {
    platforms: options.platforms,
    referrers: options.referrers,
    signal,
  });
  const images =
    format === 'oci'
      ? []
      : await dockerImages(set, {
          platform: dockerPlatform,
          signal,
          onOther: (image, chosen) => warnOfPlatform(image, chosen, dockerPlatform),
        });
  const { omit, extra } = earlier === undefined ? options : omissionOf(set, earlier);
  const plan = planArchive(set, { format, dockerImages: images, omit, extra });
  warnOfSize(plan);
  options.onPlan?.(plan, set);
  await write(plan, (target) =>
    transfer({ session, lanes: new Lanes(options.lanes), set, signal }, plan, target),
  );
  const asked = set.images.filter(({ isReferrer }) => !isReferrer);
  for (const { job, root } of asked)
    onEvent({ kind: 'tagged', image: job.image, root: root.descriptor });
  return asked.map(({ job, root }) => ({
    image: job.image,
    name: nameOf(job),
    root: root.descriptor,
  }));

  function warnOfPlatform(image: string, chosen: Platform, wanted: Platform): void {
    const message = `"${image}" has no ${formatPlatform(wanted)}; docker load will find its ${formatPlatform(chosen)}`;
    onEvent({ kind: 'warning', message, hint: 'choose another with --docker-platform' });
  }

  function warnOfSize({ files }: ArchivePlan): void {
    const manifest = files.find(({ file }) => file.name === 'manifest.json');
    if (manifest === undefined || manifest.file.size <= OTHERS_READ_BYTES) return;
    const hint = 'write the images into several archives if those tools must read them';
    onEvent({
      kind: 'warning',
      message: `manifest.json has ${manifest.file.size} bytes; skopeo and podman read ${OTHERS_READ_BYTES} at most`,
      hint,
    });
  }
}

/** With a tag and a digest the tag is the name. */
function nameOf({ name, tag }: ExportJob): string | undefined {
  if (name === undefined) return tag;
  return formatReference(name.tag === undefined ? name : { ...name, digest: undefined });
}

interface Transfer {
  readonly session: CopySession;
  readonly lanes: Lanes;
  readonly set: ImageSet;
  readonly signal: AbortSignal;
}

async function transfer(
  { session, lanes, set, signal }: Transfer,
  plan: ArchivePlan,
  target: ArchiveTarget,
): Promise<void> {
  const tell = ({ target: node }: ArchivePart, kind: 'found' | 'copied' | 'skipped'): void => {
    if (node !== undefined) session.onEvent({ kind, target: node, to: '' });
  };
  for (const { file } of plan.files) tell(file, 'found');
  if (target.kind === 'stream') {
    for await (const chunk of tarBytes(plan, (file) => contentOf(session, set, file, signal)))
      await target.write(chunk);
    for (const { file } of plan.files) tell(file, 'copied');
    return;
  }
  const tasks = plan.files.map((place) => async (either: AbortSignal): Promise<void> => {
    const { file } = place;
    const source = file.kind === 'node' ? set.blobs.get(file.target.digest)?.source : undefined;
    const write = (): Promise<number> =>
      target.write(place, (offset) => openAt(session, set, file, offset, either), {
        signal: either,
      });
    const kept = await (source === undefined
      ? write()
      : lanes.run([source.place], file.size, either, write));
    tell(file, kept === file.size && file.size > 0 ? 'skipped' : 'copied');
  });
  await together(tasks, signal);
}

function contentOf(
  session: CopySession,
  set: ImageSet,
  file: ArchivePart,
  signal: AbortSignal,
): Bytes {
  return file.kind === 'made'
    ? bytesOf(file.bytes)
    : verified(openAt(session, set, file, 0, signal), file.target);
}

function openAt(
  { onEvent }: CopySession,
  set: ImageSet,
  file: ArchivePart,
  offset: number,
  signal: AbortSignal,
): Bytes {
  if (file.kind === 'made') return bytesOf(file.bytes.subarray(offset));
  const { target } = file;
  const source = set.blobs.get(target.digest)?.source;
  if (source === undefined) throw new Error(`Blob ${target.digest} was not collected`);
  return {
    async *[Symbol.asyncIterator]() {
      onEvent({ kind: 'started', target, from: source.repository, to: '' });
      if (offset > 0) onEvent({ kind: 'resumed', target, bytes: offset, to: '' });
      for await (const chunk of source.fetch(target, { signal, offset })) {
        onEvent({ kind: 'progress', target, bytes: chunk.byteLength, to: '' });
        yield chunk;
      }
    },
  };
}
