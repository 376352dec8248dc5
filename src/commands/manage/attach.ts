import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { parseMediaType } from '../../oci/media-types.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { copyImage } from '../../operations/copy/copy-image.ts';
import { memorySource } from '../../operations/edit/memory-source.ts';
import { artifactFiles, makeArtifact, type Artifact } from '../../operations/edit/artifact.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { UsageError } from '../../errors.ts';
import { value, values } from '../arguments/arguments.ts';
import { lanesOf } from '../arguments/copy-options.ts';
import { digestRow, digestText, type DigestRow } from '../output/digest-row.ts';
import { parseLocation } from '../../targets/location.ts';
import { parseAnnotations } from '../arguments/annotations.ts';
import { openToChange } from '../../targets/open-to-change.ts';
import { withStores } from '../../targets/open-store.ts';

export interface AttachedRow extends DigestRow {
  readonly artifactType: string;
  /** The digest that it refers to. */
  readonly subject: string;
}

/** `regi attach`: files as an artifact that refers to an image. */
export const attachCommand: CommandBody<AttachedRow> = {
  run: runAttach,
  text: digestText,
};

async function* runAttach(args: ParsedArguments, context: Context): AsyncIterable<AttachedRow> {
  const { signal, onEvent } = context;
  const to = required(args, 'to', 'the image', '--to registry.example/app:1.4');
  const artifactType = parseMediaType(
    '--type',
    required(args, 'type', 'what the files are', '--type application/spdx+json'),
  );
  const location = parseLocation(to);
  const platform = value(args, 'platform');
  const annotations = parseAnnotations(values(args, 'annotation'));
  const given = value(args, 'media-type');
  const mediaType = given === undefined ? undefined : parseMediaType('--media-type', given);
  const paths = args.positionals.map((path) => resolve(context.io.cwd, path));
  const files = await artifactFiles(paths, { mediaType, signal });
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference, name } = await openToChange(location, stores);
    const wanted = platform === undefined ? undefined : parsePlatform(platform, context.io.host);
    const subject: Descriptor = await resolveImage(store, reference, wanted, { signal });
    const artifact: Artifact = makeArtifact({ artifactType, subject, files, annotations });
    const { root, nodes } = artifact;
    const job = {
      source: memorySource(nodes),
      reference: root.digest,
      destination: store,
      image: `${name}@${root.digest}`,
    };
    const wasThere = await store.exists(root, { signal });
    const copied = await copyImage(job, { signal, onEvent, lanes: lanesOf(context) });
    yield {
      ...digestRow({ ...copied, outcome: wasThere ? 'unchanged' : copied.outcome }, name),
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
