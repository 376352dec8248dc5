import { shortDigest } from '../format.ts';
import { printable } from '../redact.ts';
import { joined, mapText, plainText, styled, type Styled } from '../styled.ts';
import { roomOf, type PageStyle } from './page-style.ts';
import { columnsOf, fitLine } from './text.ts';

/** Whether more rows follow, for each level of the tree. The lines before a row are drawn from it; the root has none. */
export type Branch = readonly boolean[];

export interface TreeRow {
  readonly branch: Branch;
  readonly name: Styled;
  readonly digest: string;
  readonly note?: string | undefined;
}

/** Formats a row of a tree. The digest is shortened if the terminal is too narrow, and then the line is cut. */
export function treeLine({ branch, name, digest, note = '' }: TreeRow, style: PageStyle): Styled {
  const room = roomOf(style);
  const lead = styled('detail', leadOf(branch, style.unicode));
  const line = (shown: string): Styled => {
    const parts = [name, styled('detail', shown), styled('detail', note)];
    const texts = parts.filter((part) => plainText(part) !== '');
    return [lead, mapText(joined(texts, '  '), (text) => printable(text))];
  };
  const whole = line(digest);
  return columnsOf(plainText(whole)) <= room
    ? whole
    : fitLine(line(shortDigest(digest)), room, style);
}

function leadOf(branch: Branch, unicode: boolean): string {
  if (branch.length === 0) return '';
  const [line, blank, fork, end] = unicode
    ? ['│   ', '    ', '├── ', '└── ']
    : ['|   ', '    ', '|-- ', '`-- '];
  const own = branch.at(-1) === true ? fork : end;
  return `${branch
    .slice(0, -1)
    .map((isMore) => (isMore ? line : blank))
    .join('')}${own}`;
}
