import { UsageError } from '../../errors.ts';
import {
  parseRepository,
  repositoryName,
  type Reference,
  type Repository,
} from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { parsePrefix, under } from '../import/names.ts';

/** Returns the repository that takes the place of an image's; undefined where the image stays. */
export type Rename = (reference: Reference) => Repository | undefined;

/**
 * Maps images below a PREFIX as `regi import PREFIX` does. An image that is below it already stays, so that a
 * second run changes nothing.
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

/** Parses `--to` and `--map`. */
export function renameOption(to: string | undefined, mappings: readonly string[]): Rename {
  if (to !== undefined && mappings.length === 0) return renameToPrefix(to);
  if (to === undefined && mappings.length > 0) return renameByMap(mappings);
  throw new UsageError(
    to === undefined ? 'Cannot rewrite: expected --to or --map' : 'Cannot use --to with --map',
    { hint: 'type: regi refs rewrite --to registry.example/mirror PATH' },
  );
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
