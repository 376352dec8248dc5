const CONTEXT = 3;

/**
 * Formats two texts with the same number of lines as a unified diff that `patch -p1` and
 * `git apply` accept.
 */
export function lineDiff(path: string, before: string, after: string): string {
  const old = linesOf(before);
  const now = linesOf(after);
  const changed = old.flatMap((line, index) => (line === now[index] ? [] : [index]));
  if (changed.length === 0) return '';
  const name = path.replace(/^\//, '');
  const lines = [`--- a/${name}\n`, `+++ b/${name}\n`];
  for (const hunk of hunksOf(changed, old.length)) {
    const length = hunk.end - hunk.start;
    lines.push(`@@ -${hunk.start + 1},${length} +${hunk.start + 1},${length} @@\n`);
    for (let index = hunk.start; index < hunk.end; index += 1) {
      const [from = '', to = ''] = [old[index], now[index]];
      if (from === to) lines.push(terminated(` ${from}`));
      else lines.push(terminated(`-${from}`), terminated(`+${to}`));
    }
  }
  return lines.join('');
}

/** The lines of a text, each with its line break. */
function linesOf(text: string): readonly string[] {
  return text.split(/(?<=\n)/);
}

function terminated(line: string): string {
  return line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`;
}

/** Joins changed lines whose context overlaps. */
function hunksOf(
  changed: readonly number[],
  length: number,
): readonly { readonly start: number; readonly end: number }[] {
  const hunks: { start: number; end: number }[] = [];
  for (const index of changed) {
    const start = Math.max(index - CONTEXT, 0);
    const end = Math.min(index + CONTEXT + 1, length);
    const last = hunks.at(-1);
    if (last !== undefined && start <= last.end) last.end = end;
    else hunks.push({ start, end });
  }
  return hunks;
}
