import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { parseRepository } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { holdsImages, parseLocation, type ImagesLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import { kindOfPath } from '../../targets/path.ts';
import { flag, positional, values } from '../arguments/arguments.ts';
import { digestText } from '../output/digest-row.ts';
import { importImages, type ImportRow } from './images.ts';
import { parseMapping, parsePrefix } from './names.ts';

/** `regi import`: copies every image of an archive into a registry or the local store. */
export const importCommand: CommandBody<ImportRow> = { run: runImport, text: digestText };

async function* runImport(args: ParsedArguments, context: Context): AsyncIterable<ImportRow> {
  const [, prefix] = args.positionals;
  const naming = {
    prefix: prefix === undefined ? undefined : parsePrefix(prefix),
    mappings: values(args, 'map').map(parseMapping),
  };
  const bases = values(args, 'base').map(parseRepository);
  const typed = positional(args, 0, 'an archive', 'type: regi import FILE [PREFIX]');
  const location = await parseFile(typed, context);
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, async function* (stores) {
    const request = { from: await stores.openImages(location), naming, bases };
    yield* importImages(request, args, stores, context);
  });
}

/** Parses the archive or layout to import. A path needs no prefix. */
async function parseFile(text: string, { io }: Context): Promise<ImagesLocation> {
  if (/^(?:oci|(?:docker-|oci-)?archive):/.test(text)) {
    const location = parseLocation(text);
    if (holdsImages(location)) return location;
  }
  if (/^(?:docker:\/\/|dir:|local:)/.test(text))
    throw new UsageError(`Cannot import ${quote(text)}: expected an archive`, {
      hint: `type: regi copy ${text} DST`,
    });
  const kind = await kindOfPath(resolve(io.cwd, text));
  return { kind: kind === 'folder' ? 'oci' : 'archive', path: text };
}
