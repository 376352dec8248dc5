import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { parseRepository } from '../../oci/reference.ts';
import { UsageError } from '../../errors.ts';
import { flag, positional, values } from '../arguments/arguments.ts';
import { digestText } from '../output/digest-row.ts';
import { importImages, type ImportRow } from './images.ts';
import { parseMapping, parsePrefix } from './names.ts';
import {
  parseLocation,
  type ArchiveLocation,
  type LayoutLocation,
} from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';

/** `regi import`: every image of an archive, into a registry or the local store. */
export const importCommand: CommandBody<ImportRow> = {
  run: runImport,
  text: digestText,
};

async function* runImport(args: ParsedArguments, context: Context): AsyncIterable<ImportRow> {
  const [, prefix] = args.positionals;
  const naming = {
    prefix: prefix === undefined ? undefined : parsePrefix(prefix),
    mappings: values(args, 'map').map(parseMapping),
  };
  const bases = values(args, 'base').map(parseRepository);
  const location = await parseFile(
    positional(args, 0, 'an archive', 'type: regi import FILE [PREFIX]'),
    context,
  );
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, async function* (stores) {
    yield* importImages(
      { from: await stores.openImages(location), naming, bases },
      args,
      stores,
      context,
    );
  });
}

const PREFIXED = /^(?:oci|(?:docker-|oci-)?archive):/;

/** A path needs no prefix here. */
async function parseFile(text: string, { io }: Context): Promise<ArchiveLocation | LayoutLocation> {
  if (PREFIXED.test(text)) {
    const location = parseLocation(text);
    if ('path' in location && location.kind !== 'dir') return location;
  }
  if (/^(?:docker:\/\/|dir:|local:)/.test(text)) {
    throw new UsageError(`Cannot import "${text}": expected an archive`, {
      hint: `type: regi copy ${text} DST`,
    });
  }
  return { kind: (await isFolder(resolve(io.cwd, text))) ? 'oci' : 'archive', path: text };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // What is not there is told when it is opened.
    return false;
  }
}
