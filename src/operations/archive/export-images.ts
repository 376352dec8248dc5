import { bytesOf, verified, type SeekableBytes } from '../../bytes.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatReference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { Bytes, Source } from '../../store.ts';
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
  type CollectedImage,
  type CollectOptions,
  type ExportJob,
  type ImageSet,
} from './collect-images.ts';
import { reported } from '../copy/reported.ts';
import { CopySession, type CopySessionOptions } from '../copy/session.ts';
import { DOCKER_PLATFORM, dockerImages, type DockerImage } from './docker-images.ts';
import { planArchive, type ArchiveFormat, type PlanOptions } from './plan-archive.ts';
import { together } from '../../concurrency/together.ts';
import { trustedRootsOf } from './trusted-roots.ts';
import { hasZstd, unpackZstd } from './unpack-zstd.ts';

/** How images are exported. */
export interface ExportOptions
  extends
    CollectOptions,
    Pick<CopySessionOptions, 'onEvent' | 'lanes' | 'foreignLayers'>,
    Pick<PlanOptions, 'omit' | 'extra'> {
  /**
   * Layers that the reader has from earlier archives: they are omitted and recorded in the archive.
   */
  readonly earlier?: ReadonlyMap<Digest, CarriedBlob> | undefined;
  /** The format of the archive; both in one when absent. */
  readonly format?: ArchiveFormat | undefined;
  /** The platform of an index that docker's manifest.json names; linux/amd64 by default. */
  readonly dockerPlatform?: Platform | undefined;
  /** Reads manifests and gives lanes; one of its own when absent. */
  readonly session?: CopySession | undefined;
  /**
   * Nothing will be written: layers that have to be unpacked count by their packed size, and are not
   * read for it.
   */
  readonly planOnly?: boolean | undefined;
  /** Called before anything is written; refuses the plan by throwing. */
  readonly onPlan?: ((plan: ArchivePlan, set: ImageSet) => void) | undefined;
}

/** One image of the archive. */
export interface ExportedImage {
  /** The name in its job. */
  readonly image: string;
  /**
   * The name in the archive: `docker.io/library/debian:12`, or a bare tag; undefined for an image
   * without a name.
   */
  readonly name: string | undefined;
  /** The manifest or index. */
  readonly root: Descriptor;
  /** Its referrers, and lists of them, that could not be read: they are not in the archive. */
  readonly leftOut: number;
}

/** The largest manifest.json that skopeo and podman read. Bytes. */
const OTHERS_READ_BYTES = 1024 * 1024;

/**
 * Writes images into one archive: each node once, every byte verified, the archive visible only
 * when it is complete.
 *
 * @throws {RegiError} when an image cannot be read, {ContentMismatchError} when a blob does not
 *   match its digest.
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
    planOnly = false,
    onEvent = () => {},
  } = options;
  const session = options.session ?? new CopySession(options);
  const signal = options.signal ?? new AbortController().signal;
  const set = await collectImages(session, jobs, {
    platforms: options.platforms,
    sparse: options.sparse,
    referrers: options.referrers,
    onUnreadable: options.onUnreadable,
    signal,
  });
  const narrowed = new Map<ExportJob, Descriptor>();
  const images =
    format === 'oci'
      ? []
      : await dockerImages(set, {
          platform: dockerPlatform,
          signal,
          onOther: (image, chosen) => warnOfPlatform(image, chosen, dockerPlatform),
          onChosen: (image, chosen, platform) => noteChosen(image, chosen, platform),
        });
  tellOfZstd(images);
  // Docker's format has no digests of packed layers to keep.
  const { blobs, images: loadable } =
    format === 'docker' && !planOnly
      ? await unpackZstd(session, set, images, signal)
      : { blobs: set.blobs, images };
  const written = { ...set, blobs };
  const { omit, extra = [] } = earlier === undefined ? options : omissionOf(written, earlier);
  const plan = planArchive(written, {
    format,
    dockerImages: loadable,
    omit,
    extra: [...extra, ...trustedRootsOf(set)],
  });
  warnOfSize(plan);
  options.onPlan?.(plan, set);
  await write(plan, (target) => transfer(session, written, plan, target, signal));
  const asked = set.images.filter(({ isReferrer }) => !isReferrer);
  for (const { job, root } of asked)
    onEvent({ kind: 'tagged', image: job.image, root: root.descriptor });
  return asked.map(({ job, root, leftOut }) => ({
    image: job.image,
    name: nameOf(job),
    root: narrowed.get(job) ?? root.descriptor,
    leftOut,
  }));

  /** Docker's old format has no indexes: the chosen manifest is what is written. */
  function noteChosen({ job }: CollectedImage, chosen: Digest, platform: Platform): void {
    const node = set.manifests.get(chosen);
    if (format !== 'docker' || node === undefined) return;
    narrowed.set(job, node.descriptor);
    onEvent({
      kind: 'warning',
      message: `${quote(job.image)} was narrowed to ${formatPlatform(platform)}: docker-archive: holds one platform of an image`,
      hint: 'archive:FILE holds all platforms, and docker can load it too',
    });
  }

  function tellOfZstd(chosen: readonly DockerImage[]): void {
    const packed = chosen.find(hasZstd);
    if (packed === undefined) return;
    const image = quote(packed.repoTags[0] ?? 'an image of the archive');
    if (format === 'docker') {
      onEvent({
        kind: 'warning',
        message: `docker-archive: holds the layers of ${image} unpacked: some versions of docker cannot load their zstd`,
        hint: 'archive:FILE keeps layers as they are',
      });
      return;
    }
    onEvent({
      kind: 'warning',
      message: `docker before version 23 cannot load ${image}: its layers are packed by zstd`,
      hint: 'write docker-archive:FILE, which holds them unpacked, or load it with a later docker, podman or containerd',
    });
  }

  function warnOfPlatform(image: string, chosen: Platform, wanted: Platform): void {
    const message = `${quote(image)} has no ${formatPlatform(wanted)}; docker load will find its ${formatPlatform(chosen)}`;
    onEvent({ kind: 'warning', message, hint: 'choose another with --docker-platform' });
  }

  function warnOfSize({ files }: ArchivePlan): void {
    const manifest = files.find(({ file }) => file.name === 'manifest.json');
    if (manifest === undefined || manifest.file.size <= OTHERS_READ_BYTES) return;
    const hint = 'split the images over several archives if those tools must read them';
    onEvent({
      kind: 'warning',
      message: `manifest.json has ${manifest.file.size} bytes; skopeo and podman read ${OTHERS_READ_BYTES} at most`,
      hint,
    });
  }
}

/** A name with tag and digest loses its digest. */
function nameOf({ name, tag }: ExportJob): string | undefined {
  if (name === undefined) return tag;
  return formatReference(name.tag === undefined ? name : { ...name, digest: undefined });
}

async function transfer(
  session: CopySession,
  set: ImageSet,
  plan: ArchivePlan,
  target: ArchiveTarget,
  signal: AbortSignal,
): Promise<void> {
  const { onEvent } = session;
  const emit = ({ target: node }: ArchivePart, kind: 'found' | 'copied' | 'skipped'): void => {
    if (node !== undefined) onEvent({ kind, target: node, to: '' });
  };
  const sourceOf = (digest: Digest): Source => {
    const source = set.blobs.get(digest)?.source;
    if (source === undefined) throw new Error(`Blob ${digest} was not collected`);
    return source;
  };
  const unproved = (node: Descriptor, inner: AbortSignal): SeekableBytes =>
    reported(sourceOf(node.digest), node, { to: '', onEvent, signal: inner });
  for (const { file } of plan.files) emit(file, 'found');
  if (target.kind === 'stream') {
    const contentOf = (file: ArchivePart): Bytes =>
      file.kind === 'made'
        ? bytesOf(file.bytes)
        : verified(unproved(file.target, signal), file.target);
    for await (const chunk of tarBytes(plan, contentOf)) await target.write(chunk);
    for (const { file } of plan.files) emit(file, 'copied');
    return;
  }
  const write = async (place: ArchivePlan['files'][number], inner: AbortSignal): Promise<void> => {
    const { file } = place;
    const open = (offset: number): Bytes =>
      file.kind === 'made'
        ? bytesOf(file.bytes.subarray(offset))
        : unproved(file.target, inner).from(offset);
    const put = (): Promise<number> => target.write(place, open, { signal: inner });
    const kept = await (file.kind === 'made'
      ? put()
      : session.lanes.run([sourceOf(file.target.digest).place], file.size, inner, put));
    emit(file, kept === file.size && file.size > 0 ? 'skipped' : 'copied');
  };
  await together(
    plan.files.map((place) => (either: AbortSignal) => write(place, either)),
    signal,
  );
}
