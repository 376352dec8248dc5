import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).flatMap((name) =>
    name.endsWith('.md') ? [`docs/${name}`] : [],
  ),
];
/** Where a file that is named by the end of its path may be. */
const FOLDERS = ['', 'src', 'docs'];
/** Files of users and of builds. */
const ELSEWHERE = /^(?:dist|containers|blobs)\//;

describe.each(
  PAGES.map(
    (page) =>
      [page, readFileSync(join(ROOT, page), 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '')] as const,
  ),
)('%s', (page, text) => {
  test('links to files and headings that are there', () => {
    const links = [...text.matchAll(/\]\((?<file>[^)#:]*)(?:#(?<heading>[^)]*))?\)/g)];
    const broken = links.filter(
      ({ groups }) => !isThere(join(dirname(page), groups?.['file'] ?? ''), page, groups),
    );
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  test('names files of this repository that are there', () => {
    const names = [
      ...text.matchAll(
        /`(?<name>[a-z][\w-]*(?:\/[\w.-]+)*\/[\w-]+(?:\.test)?\.(?:ts|js|cjs|md|json))`/g,
      ),
    ].map(({ groups }) => groups?.['name'] ?? '');
    expect(
      names.filter(
        (name) =>
          !ELSEWHERE.test(name) && FOLDERS.every((folder) => !existsSync(join(ROOT, folder, name))),
      ),
    ).toEqual([]);
  });
});

function isThere(
  path: string,
  page: string,
  groups: Readonly<Record<string, string | undefined>> | undefined,
): boolean {
  const file = groups?.['file'] === '' ? page : path;
  if (!existsSync(join(ROOT, file))) return false;
  const heading = groups?.['heading'];
  return (
    heading === undefined || headingsOf(readFileSync(join(ROOT, file), 'utf8')).includes(heading)
  );
}

/** As GitHub makes anchors of them. */
function headingsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (?<title>.+)$/gm)].map(({ groups }) =>
    (groups?.['title'] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
