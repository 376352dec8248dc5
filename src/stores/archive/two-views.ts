import { LimitExceededError } from '../../bytes.ts';
import type { Digest } from '../../oci/digest.ts';
import { isTag } from '../../oci/reference.ts';
import { quote, quotePath } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import { type Content, reachableFrom } from '../layout/graph.ts';
import {
  IMAGE_NAME,
  type LayoutEntry,
  type LayoutIndex,
  toEntry,
  usable,
} from '../layout/index-json.ts';
import { invalidArchive } from './contents.ts';
import type { DockerNames } from './docker-archive.ts';

/**
 * Compares the two views of one tar: index.json, and docker's manifest.json. An entry with a bare
 * tag gets the full names that manifest.json has for the same image.
 *
 * @param path for messages.
 * @throws {RegiError} INVALID_ARCHIVE when one name means different images: docker would load
 *   another one than regi.
 */
export async function withDockerNames(
  index: LayoutIndex,
  docker: readonly DockerNames[],
  content: Content,
  { path, ...options }: CallOptions & { readonly path: string },
): Promise<LayoutIndex> {
  const entries: LayoutEntry[] = [];
  for (const entry of index.entries) {
    const { refName, imageName } = entry;
    const full = imageName ?? (refName !== undefined && !isTag(refName) ? refName : undefined);
    const nodes =
      (full ?? refName) === undefined ? undefined : await below(content, entry, options);
    const names =
      nodes === undefined
        ? []
        : docker.flatMap(({ config, repoTags }) =>
            repoTags.map((repoTag) => ({ ...repoTag, config, isSame: nodes.has(config) })),
          );
    const same = names.filter(({ isSame }) => isSame);
    const other = names.find((name) => !name.isSame && name.full === full);
    if (other !== undefined && !same.some((name) => name.full === full))
      throw invalidArchive(
        `Cannot read the archive ${quotePath(path)}: ${quote(other.full)} is ${String(entry.digest)} in index.json, and an image with the config ${other.config} in manifest.json`,
        { hint: 'do not use it: tools would load different images; write the archive again' },
      );
    const fuller =
      full === undefined && refName !== undefined
        ? [...new Set(same.filter(({ tag }) => tag === refName).map((name) => name.full))]
        : [];
    entries.push(...(fuller.length === 0 ? [entry] : fuller.map((name) => named(entry, name))));
  }
  return { ...index, entries };
}

/**
 * Returns the nodes of an entry; undefined where its manifest cannot be read, which is reported
 * elsewhere.
 */
async function below(
  content: Content,
  entry: LayoutEntry,
  options: CallOptions,
): Promise<ReadonlySet<Digest> | undefined> {
  try {
    const nodes = await reachableFrom(content, usable([entry]), options);
    return nodes.size > 1 ? nodes : undefined;
  } catch (error) {
    if (error instanceof LimitExceededError) return undefined;
    throw error;
  }
}

function named({ json }: LayoutEntry, name: string): LayoutEntry {
  const annotations = typeof json['annotations'] === 'object' ? json['annotations'] : {};
  return toEntry({ ...json, annotations: { ...annotations, [IMAGE_NAME]: name } });
}
