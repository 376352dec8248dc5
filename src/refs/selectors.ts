import { posix } from 'node:path';

import type { Finding } from './found.ts';
import type { Rewritten } from './rewrite.ts';
import type { SearchedFile } from './search.ts';

/** A file with what a rewrite makes of it. */
export interface RewrittenFile extends Rewritten {
  readonly file: SearchedFile;
}

/**
 * Finds the new names of selectors in a kustomization, by their positions: a selector moves with
 * the images of its bases, which it would miss otherwise. It stays where a base is not among the
 * files, or keeps the name in one place.
 */
export function movedSelectors(
  { file }: RewrittenFile,
  files: readonly RewrittenFile[],
): ReadonlyMap<number, string> {
  const moves = new Map<number, string>();
  if (file.findings.selectors.length === 0) return moves;
  const byPath = new Map(files.map((other) => [posix.normalize(other.file.path), other]));
  const reached = reachedFrom(file, byPath);
  for (const { name, span } of file.findings.selectors) {
    const isSelected = (finding: Finding, { text }: SearchedFile): boolean =>
      'name' in finding.edit &&
      finding.edit.registry === undefined &&
      finding.at !== span.start &&
      text.slice(finding.edit.name.start, finding.edit.name.end) === name;
    const changes = reached.flatMap(({ changes: all, file: base }) =>
      all.filter(({ finding }) => isSelected(finding, base)),
    );
    const isKept = reached.some(({ kept, file: base }) =>
      kept.some(({ finding }) => isSelected(finding, base)),
    );
    const moved = changes[0]?.name;
    if (moved !== undefined && !isKept) moves.set(span.start, moved);
  }
  return moves;
}

const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** The file itself, for its patches, and those that its bases name, at any depth. */
function reachedFrom(
  file: SearchedFile,
  byPath: ReadonlyMap<string, RewrittenFile>,
): readonly RewrittenFile[] {
  const reached = new Set<RewrittenFile>();
  const visit = (path: string): void => {
    const found = byPath.get(path);
    if (found === undefined || reached.has(found)) return;
    reached.add(found);
    const folder = posix.dirname(path);
    for (const base of found.file.findings.bases) {
      const below = posix.join(folder, base);
      for (const one of [below, ...KUSTOMIZATIONS.map((name) => posix.join(below, name))])
        visit(one);
    }
  };
  visit(posix.normalize(file.path));
  return [...reached];
}
