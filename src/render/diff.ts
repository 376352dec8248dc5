import type { Context } from '../context.ts';
import { assertNever } from '../errors.ts';
import { formatBytes, formatCount, pluralize, shortDigest } from '../format.ts';
import type { ConfigChange } from '../operations/contents/diff-configs.ts';
import type { FileChange, FileDifference } from '../operations/contents/diff-trees.ts';
import { printable } from '../redact.ts';
import type { FileReport } from './image-file.ts';
import { commandOf } from './layers.ts';
import { linesText, styled, type Role, type Styled } from '../styled.ts';
import { pageStyle, roomOf, type PageStyle } from './page-style.ts';
import { fitLine } from './text.ts';

interface ImageSide {
  /** As typed. */
  readonly name: string;
  readonly digest: string;
  readonly layers: number;
  /** Compressed bytes of all layers. */
  readonly size: number;
}

/** A line of `regi diff`. The names are those of `--json`, and so part of the interface. */
export type DiffRow =
  | { readonly kind: 'images'; readonly before: ImageSide; readonly after: ImageSide }
  | ({ readonly kind: 'config' } & ConfigChange)
  | {
      readonly kind: 'layer';
      readonly change: 'same' | 'added' | 'removed';
      readonly digest: string;
      /** Compressed bytes. */
      readonly size: number;
      readonly createdBy: string | undefined;
    }
  | {
      readonly kind: 'file';
      readonly change: FileChange['change'];
      readonly path: string;
      /** Set for a changed file. */
      readonly differs: readonly FileDifference[] | undefined;
      readonly before: FileReport | undefined;
      readonly after: FileReport | undefined;
    }
  | DiffSummary;

export interface DiffSummary {
  readonly kind: 'summary';
  /** Files and folders. */
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** Bytes of new files and of growth. */
  readonly addedBytes: number;
  /** Bytes of removed files and of shrinkage. */
  readonly removedBytes: number;
}

type Rows<Kind extends DiffRow['kind']> = Extract<DiffRow, { readonly kind: Kind }>;

const MARKS = { same: '=', added: '+', removed: '-', changed: '~' } as const;
const SIZE_WIDTH = 10;
/** A narrower terminal has no room for the algorithm of a digest. Columns. */
const NARROW = 60;

/**
 * Formats a line that begins with the kind, for `grep ^file`. On a terminal it is cut to the width.
 */
export function diffText(row: DiffRow, context: Context): Styled {
  const style = pageStyle(context);
  return linesText(linesOf(row, style).map((line) => fitLine(line, roomOf(style), style)));
}

function linesOf(row: DiffRow, style: PageStyle): readonly Styled[] {
  const digestText = (digest: string): string =>
    style.isPiped === true ? digest : shortDigest(digest).slice(style.columns < NARROW ? -12 : 0);
  switch (row.kind) {
    case 'images':
      return [
        styled('bad', sideLine('---', row.before, digestText)),
        styled('good', sideLine('+++', row.after, digestText)),
      ];
    case 'config':
      return [changeLine('config', row.change, printable(configText(row)))];
    case 'layer': {
      const { size, digest, createdBy = '' } = row;
      const text = `${formatBytes(size).padStart(SIZE_WIDTH)}  ${digestText(digest)}  ${commandOf(createdBy)}`;
      return [changeLine('layer ', row.change, text.trimEnd())];
    }
    case 'file': {
      const text = `${sizeText(row).padStart(SIZE_WIDTH)}  ${printable(fileText(row))}`;
      return [changeLine('file  ', row.change, text)];
    }
    case 'summary':
      return [summaryText(row)];
    default:
      return assertNever(row);
  }
}

const ROLES = {
  same: 'detail',
  added: 'good',
  removed: 'bad',
  changed: 'changed',
} as const satisfies Readonly<Record<keyof typeof MARKS, Role>>;

function changeLine(kind: string, change: keyof typeof MARKS, text: string): Styled {
  return [`${kind} `, styled(ROLES[change], `${MARKS[change]} ${text}`)];
}

function sideLine(
  mark: string,
  { name, digest, layers, size }: ImageSide,
  digestText: (digest: string) => string,
): string {
  return `${mark} ${printable(name)}  ${digestText(digest)}  ${formatCount(layers, 'layer')}, ${formatBytes(size)}`;
}

function configText({ change, name, before, after }: ConfigChange): string {
  switch (change) {
    case 'added':
      return `${name} ${valueText(after)}`;
    case 'removed':
      return `${name} ${valueText(before)}`;
    case 'changed':
      return `${name} ${valueText(before)} -> ${valueText(after)}`;
    default:
      return assertNever(change);
  }
}

function valueText(value: unknown): string {
  return JSON.stringify(value);
}

/** Formats the size of a file, or by how much it grew or shrank; empty if it did not. */
function sizeText({ change, before, after }: Rows<'file'>): string {
  const [old, now] = [before?.size ?? 0, after?.size ?? 0];
  if (change !== 'changed')
    return (after ?? before)?.type === 'file' ? formatBytes(Math.max(old, now)) : '';
  if (old === now) return '';
  return `${now > old ? '+' : '-'}${formatBytes(Math.abs(now - old))}`;
}

function fileText({ path, differs = [], before, after }: Rows<'file'>): string {
  const report = after ?? before;
  const folder = report?.type === 'folder' && path !== '/' ? '/' : '';
  if (before === undefined || after === undefined)
    return `${path}${folder}${report?.link === undefined ? '' : ` -> ${report.link}`}`;
  return `${path}${folder} (${differs.map((difference) => differenceText(difference, before, after)).join(', ')})`;
}

function differenceText(difference: FileDifference, before: FileReport, after: FileReport): string {
  switch (difference) {
    case 'content':
      return 'content';
    case 'type':
      return `${before.type} -> ${after.type}`;
    case 'mode':
      return `mode ${before.mode} -> ${after.mode}`;
    case 'owner':
      return `owner ${before.uid}:${before.gid} -> ${after.uid}:${after.gid}`;
    case 'link':
      return `link ${before.link ?? ''} -> ${after.link ?? ''}`;
    case 'device':
      return `device ${before.device ?? ''} -> ${after.device ?? ''}`;
    default:
      return assertNever(difference);
  }
}

function summaryText({ added, removed, changed, addedBytes, removedBytes }: DiffSummary): string {
  if (added + removed + changed === 0) return 'The files are the same';
  const count = added + removed + changed;
  return `${formatCount(count, 'file')} ${pluralize(count, 'differs', 'differ')}: ${added} added, ${removed} removed, ${changed} changed; +${formatBytes(addedBytes)}, -${formatBytes(removedBytes)}`;
}
