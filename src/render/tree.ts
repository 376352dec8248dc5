import { shortDigest } from '../format.ts';
import { printable } from '../redact.ts';
import { joined, mapText, plainText, styled, type Styled } from '../styled.ts';
import { roomOf, type PageStyle } from './page-style.ts';
import { columnsOf, fitLine, fitLineEnd } from './text.ts';

/**
 * Whether more rows follow, for each level of the tree. The lines before a row are drawn from it;
 * the root has none.
 */
export type Branch = readonly boolean[];

export interface TreeRow {
  readonly branch: Branch;
  readonly name: Styled;
  readonly digest: string;
  readonly note?: string | undefined;
}

/**
 * Formats a row of a tree. Where the terminal is too narrow, the digest is shortened, then the note
 * is omitted, then the name is cut: a digest that is cut would be of no use.
 */
export function treeLine({ branch, name, digest, note = '' }: TreeRow, style: PageStyle): Styled {
  const room = roomOf(style);
  const lead = styled('detail', leadOf(branch, style.unicode));
  const [safeName, safeNote] = [safe(name), safe(styled('detail', note))];
  const line = (shown: string, ...rest: readonly Styled[]): Styled => {
    const parts = [safeName, safe(styled('detail', shown)), ...rest];
    return [
      lead,
      joined(
        parts.filter((part) => plainText(part) !== ''),
        GAP,
      ),
    ];
  };
  const short = shortDigest(digest);
  const bare = short.slice(short.indexOf(':') + 1);
  const lines = [line(digest, safeNote), line(short, safeNote), line(short), line(bare)];
  const fitting = lines.find((candidate) => columnsOf(plainText(candidate)) <= room);
  if (fitting !== undefined) return fitting;
  const nameRoom = room - columnsOf(plainText(lead)) - GAP.length - bare.length;
  // The tag of an image stands at the end.
  const fitName = branch.length === 0 ? fitLineEnd : fitLine;
  return [lead, fitName(safeName, nameRoom, style), GAP, styled('detail', bare)];
}

const GAP = '  ';

function safe(text: Styled): Styled {
  return mapText(text, (part) => printable(part));
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
