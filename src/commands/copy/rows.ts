import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { copyImages, type FailedJob } from '../../operations/copy/copy-images.ts';
import { value } from '../arguments/arguments.ts';
import type { NamedJob } from './jobs.ts';
import { copyOptions } from '../arguments/copy-options.ts';
import { digestRow, openDigestFile, type DigestRow } from '../output/digest-row.ts';

/** The only tag of a command is there with other content, and `--no-clobber` was given. */
export class TagKeptError extends RegiError {
  readonly image: string;
  /** What it names, and goes on to name. */
  readonly root: Descriptor;

  constructor(image: string, root: Descriptor) {
    super(
      'ALREADY_EXISTS',
      `Cannot copy to "${image}": it is there already with other content, ${root.digest}`,
      {
        hint: 'leave out --no-clobber to move the tag, or choose another one',
      },
    );
    this.image = image;
    this.root = root;
  }
}

/**
 * Copies the images of a command and answers with a row for each; the same lines go into `--digestfile`.
 *
 * @throws {TagKeptError} where one image is all there is to do. Of several, one that is kept is no failure, for the others are copied.
 */
export async function* copyRows(
  jobs: Iterable<NamedJob | FailedJob> | AsyncIterable<NamedJob | FailedJob>,
  args: ParsedArguments,
  context: Context,
): AsyncIterable<DigestRow> {
  const begun = new Map<string, NamedJob>();
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const remembered = async function* (): AsyncIterable<NamedJob | FailedJob> {
    for await (const job of jobs) {
      if (!('error' in job)) begun.set(job.image, job);
      yield job;
    }
  };
  for await (const copied of copyImages(remembered(), copyOptions(args, context))) {
    const job = begun.get(copied.image);
    if (copied.outcome === 'kept') {
      if (job?.alone === true) throw new TagKeptError(copied.image, copied.root);
      context.note(`${copied.image} is kept: it is there already with other content`);
    }
    if (job?.isListed === true && job.tag === undefined)
      await job.destination.tag(copied.root, copied.root.digest, { signal: context.signal });
    const row = digestRow(copied, job?.name ?? copied.image);
    await record(row);
    yield row;
  }
}
