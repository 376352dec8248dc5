import picomatch from 'picomatch';

const OPTIONS = { dot: true, nonegate: true, noextglob: true } as const;

/**
 * Makes one test of globs: a name passes if one takes it, or all only exclude, and none excludes
 * it.
 */
export function globFilter(globs: readonly string[]): (name: string) => boolean {
  const wanted = globs.filter((glob) => !glob.startsWith('!'));
  const unwanted = globs.filter((glob) => glob.startsWith('!')).map((glob) => glob.slice(1));
  const takes = wanted.map((glob) => picomatch(glob, OPTIONS));
  const drops = unwanted.map((glob) => picomatch(glob, OPTIONS));
  return (name) =>
    (takes.length === 0 || takes.some((take) => take(name))) && !drops.some((drop) => drop(name));
}
