import { formatBytes, formatDuration } from '../../format.ts';
import type { RegiError } from '../../errors.ts';
import { styled, type Role, type Styled } from '../../styled.ts';

/**
 * What became of an image. `skipped`: it has none of the platforms; `deferred`: a pull limit came
 * first.
 */
export const SYNC_STATUSES = [
  'new',
  'moved',
  'kept',
  'skipped',
  'deleted',
  'deferred',
  'same',
  'failed',
] as const;

export type SyncStatus = (typeof SYNC_STATUSES)[number];

/** One image of one destination, or an entry that failed before its images were known. */
export interface SyncRow {
  readonly entry: string;
  /** With its tag or digest; without one where the whole repository failed. */
  readonly source: string | undefined;
  /** The destination without its tag: `registry.example/mirror/debian`. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly status: SyncStatus;
  /** At the destination; of `skipped` at the source. Undefined where nothing asked for it. */
  readonly digest?: string | undefined;
  /** What the tag named before. */
  readonly previousDigest?: string | undefined;
  readonly sourceDigest?: string | undefined;
  /** Uploaded, or to be uploaded. Undefined where a dry run did not look. */
  readonly bytes?: number | undefined;
  readonly mounted?: number | undefined;
  /** Referrers that failed; a warning names them. */
  readonly leftOut?: number | undefined;
  readonly error?: RegiError | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Output of `--matrix`: the shards with work, in the form that GitHub takes. */
export interface MatrixRow {
  readonly include: readonly { readonly shard: string }[];
}

/** Output of `--from-regsync` and `--from-skopeo`: a file of `regi sync`. */
export interface ConvertedRow {
  readonly file: string;
}

/** Formats a row for standard output; failures are on standard error. */
export function syncRowText(row: ConvertedRow | MatrixRow | SyncRow): Styled {
  if ('file' in row) return row.file;
  if ('include' in row) return `${JSON.stringify(row)}\n`;
  const { status, name, tag, digest } = row;
  if (status === 'failed') return '';
  return [
    styled(ROLES[status], status),
    ' ',
    styled('name', destinationOf({ name, tag })),
    ...(digest === undefined ? [] : [styled('detail', `@${digest}`)]),
    '\n',
  ];
}

const ROLES: Readonly<Record<SyncStatus, Role>> = {
  new: 'good',
  moved: 'changed',
  kept: 'changed',
  skipped: 'detail',
  deleted: 'bad',
  deferred: 'changed',
  same: 'detail',
  failed: 'bad',
};

/** Returns the documented JSON of a row. */
export function syncRowJson(row: ConvertedRow | MatrixRow | SyncRow): object {
  if ('include' in row || 'file' in row) return row;
  const { entry, source, status, digest, previousDigest, sourceDigest, error } = row;
  return {
    entry,
    source,
    destination: destinationOf(row),
    status,
    digest,
    previousDigest,
    sourceDigest,
    bytes: row.bytes,
    mounted: row.mounted,
    ...(error !== undefined && {
      error: {
        code: error.code,
        message: error.message,
        hint: error.hint,
        ...(error.findings.length > 0 && { findings: error.findings }),
      },
    }),
    ...(row.dryRun === true && { dryRun: true }),
  };
}

export function destinationOf({ name, tag }: Pick<SyncRow, 'name' | 'tag'>): string {
  return tag === undefined ? name : `${name}:${tag}`;
}

/** Counts rows for the summary. */
export class SyncTotals {
  readonly #counts = new Map<SyncStatus, number>();
  /** Failures that were no pull limit. */
  #hardFailures = 0;
  /** Images that came without some of their referrers. */
  lacking = 0;
  bytes = 0;
  mounted = 0;

  add({ status, bytes = 0, mounted = 0, leftOut = 0, error }: SyncRow): void {
    this.#counts.set(status, this.count(status) + 1);
    this.bytes += bytes;
    this.mounted += mounted;
    if (leftOut > 0) this.lacking += 1;
    if (status === 'failed' && error?.code !== 'RATE_LIMITED') this.#hardFailures += 1;
  }

  count(status: SyncStatus): number {
    return this.#counts.get(status) ?? 0;
  }

  get images(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** What decides the exit status. */
  get outcome(): 'done' | 'failed' | 'lacking' | 'limited' {
    if (this.#hardFailures > 0) return 'failed';
    if (this.lacking > 0) return 'lacking';
    return this.count('failed') + this.count('deferred') > 0 ? 'limited' : 'done';
  }

  /** `412 images: 7 new, 2 moved, 401 same, 2 failed; 1.2 GiB uploaded, 3.4 GiB mounted, 38 s`. */
  text(milliseconds: number, { dryRun, heads }: { dryRun: boolean; heads: boolean }): string {
    const counts = SYNC_STATUSES.filter((status) => this.count(status) > 0).map(
      (status) => `${this.count(status)} ${status}`,
    );
    const images = `${this.images} ${this.images === 1 ? 'image' : 'images'}`;
    const bytes = heads
      ? []
      : [
          `${formatBytes(this.bytes)} ${dryRun ? 'to upload' : 'uploaded'}`,
          `${formatBytes(this.mounted)} ${dryRun ? 'to mount' : 'mounted'}`,
        ];
    const effort = [...bytes, formatDuration(milliseconds)].join(', ');
    return `${dryRun ? 'dry run: ' : ''}${images}${counts.length > 0 ? `: ${counts.join(', ')}` : ''}; ${effort}`;
  }
}
