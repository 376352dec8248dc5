import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { parseMediaType } from '../../oci/media-types.ts';
import { copyImage } from '../../operations/copy/copy-image.ts';
import { artifactFiles, makeArtifact } from '../../operations/edit/artifact.ts';
import { memorySource } from '../../operations/edit/memory-source.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { withStores } from '../../targets/open-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import { annotationsOption, platformOption, value } from '../arguments/arguments.ts';
import { transferOptions } from '../arguments/copy-options.ts';
import { digestRow, digestText, type DigestRow } from '../output/digest-row.ts';

export interface AttachedRow extends DigestRow {
  readonly artifactType: string;
  /** The digest of its subject. */
  readonly subject: string;
}

/** `regi attach`: attaches files to an image, as an artifact that refers to it. */
export const attachCommand: CommandBody<AttachedRow> = { run: runAttach, text: digestText };

async function* runAttach(args: ParsedArguments, context: Context): AsyncIterable<AttachedRow> {
  const { signal } = context;
  const to = required(args, 'to', 'the image', '--to registry.example/app:1.4');
  const type = required(args, 'type', 'the type of the files', '--type application/spdx+json');
  const artifactType = parseMediaType('--type', type);
  const location = await parseSourceLocation(to, context.io);
  const platform = platformOption(args, context);
  const annotations = annotationsOption(args);
  const given = value(args, 'media-type');
  const mediaType = given === undefined ? undefined : parseMediaType('--media-type', given);
  const paths = args.positionals.map((path) => resolve(context.io.cwd, path));
  const files = await artifactFiles(paths, { mediaType, signal });
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference, name } = await stores.open(location, 'change');
    const subject = await resolveImage(store, reference, platform, { signal });
    const { root, nodes } = makeArtifact({ artifactType, subject, files, annotations });
    const job = {
      source: memorySource(nodes),
      reference: root.digest,
      destination: store,
      image: `${name}@${root.digest}`,
    };
    const wasPresent = await store.exists(root, { signal });
    const copied = await copyImage(job, transferOptions(context));
    yield {
      ...digestRow({ ...copied, outcome: wasPresent ? 'unchanged' : copied.outcome }, name),
      artifactType,
      subject: subject.digest,
    };
  });
}

function required(args: ParsedArguments, option: string, what: string, example: string): string {
  const given = value(args, option);
  if (given === undefined)
    throw new UsageError(`Cannot attach without "--${option}": expected ${what}`, {
      hint: `add ${example}`,
    });
  return given;
}
