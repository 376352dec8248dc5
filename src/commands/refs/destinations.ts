import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import {
  parseRepository,
  repositoryName,
  type Reference,
  type Repository,
} from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { parseSyncFile } from '../../sync/file/file.ts';
import { mirrorOf } from '../../sync/plan/routes.ts';
import { value, values } from '../arguments/arguments.ts';
import { readList } from '../arguments/read-list.ts';
import { parsePrefix, under } from '../import/names.ts';

/** Returns the repository that takes the place of an image's; undefined where the image stays. */
export type Rename = (reference: Reference) => Repository | undefined;

/**
 * Maps images below a PREFIX as `regi import PREFIX` does. An image that is below it already stays,
 * so that a second run changes nothing.
 *
 * @throws {UsageError} when two images would get one name.
 */
export function renameToPrefix(text: string): Rename {
  const prefix = parsePrefix(text);
  const start = prefix.path === '' ? '' : `${prefix.path}/`;
  return onlyOnce((reference) =>
    reference.domain === prefix.domain && reference.path.startsWith(start)
      ? undefined
      : under(prefix, reference),
  );
}

/** Maps the repositories of `--map OLD=NEW`. @throws {UsageError} */
export function renameByMap(mappings: readonly string[]): Rename {
  const parsed = new Map(
    mappings.map((text) => {
      const [old = '', to = '', ...more] = text.split('=');
      if (old === '' || to === '' || more.length > 0) {
        throw new UsageError(`Cannot use ${quote(text)} for "--map": expected OLD=NEW`, {
          hint: 'write two repositories: --map nginx=registry.example/mirror/nginx',
        });
      }
      return [repositoryName(parseRepository(old)), parseRepository(to)] as const;
    }),
  );
  return onlyOnce((reference) => parsed.get(repositoryName(reference)));
}

/** Maps images as the entries of a file of `regi sync` do. Images that no entry mirrors stay. */
export async function renameBySync(path: string, context: Context): Promise<Rename> {
  const { io } = context;
  const { entries } = await parseSyncFile(await readList(path, context), {
    name: path,
    env: io.env,
    host: io.host,
  });
  return onlyOnce((reference) => mirrorOf(entries, reference));
}

/** Parses `--to`, `--map` and `--sync`, of which one is needed. */
export async function renameOption(args: ParsedArguments, context: Context): Promise<Rename> {
  const [to, sync, mappings] = [value(args, 'to'), value(args, 'sync'), values(args, 'map')];
  const given = [to, sync, mappings[0]].filter((one) => one !== undefined).length;
  if (given !== 1) {
    throw new UsageError(
      given === 0
        ? 'Cannot rewrite: expected --to, --map or --sync'
        : 'Cannot rewrite: expected one of --to, --map and --sync',
      { hint: 'type: regi refs rewrite --to registry.example/mirror PATH' },
    );
  }
  if (to !== undefined) return renameToPrefix(to);
  return sync === undefined ? renameByMap(mappings) : renameBySync(sync, context);
}

function onlyOnce(rename: Rename): Rename {
  const sources = new Map<string, string>();
  return (reference) => {
    const destination = rename(reference);
    if (destination === undefined) return undefined;
    const key = repositoryName(destination);
    const source = repositoryName(reference);
    const before = sources.get(key);
    if (before !== undefined && before !== source) {
      throw new UsageError(
        `Cannot rewrite ${quote(source)} and ${quote(before)}: both become ${quote(key)}`,
        { hint: 'give each a name of its own with --map OLD=NEW' },
      );
    }
    sources.set(key, source);
    return destination;
  };
}
