import type { ImageSet } from './collect-images.ts';

/** The file's name in an archive, as in the update repository of sigstore. */
export const TRUSTED_ROOT = 'trusted_root.json';

/** A small file of an archive. */
interface SmallFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Returns the trusted roots that vouched for signatures of the images, as files of their archive:
 * `trusted_root.json`. They let a reader without a network verify the certificates, once it knows
 * by another way that a root is genuine. `regi import` never takes one from an archive.
 */
export function trustedRootsOf({ images }: Pick<ImageSet, 'images'>): readonly SmallFile[] {
  // By its JSON: each rule without a root of its own has made one of the shipped file.
  const roots = new Set<unknown>();
  for (const { job } of images) {
    const rule = job.gate?.rule;
    if (rule !== undefined && 'root' in rule && rule.root !== undefined) roots.add(rule.root.json);
  }
  return [...roots].map((json, i) => ({
    name: i === 0 ? TRUSTED_ROOT : `trusted_root-${i + 1}.json`,
    bytes: new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`),
  }));
}
