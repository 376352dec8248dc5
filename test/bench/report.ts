import type { Cost } from './measure.ts';

/** One contestant in one workload. Medians of its runs. */
export interface Row {
  readonly workload: string;
  readonly title: string;
  readonly client: string;
  readonly runs: number;
  /** Seconds. */
  readonly wall: number;
  readonly fastestWall: number;
  /** Processor time of the client, user and system. Seconds. */
  readonly cpu: number;
  readonly peakBytes: number | undefined;
  /** Requests that both registries answered, of one run. */
  readonly requests: number | undefined;
  /** Connections through the long lines, of one run. */
  readonly connections: number | undefined;
  /** The last line of its standard error, when it failed. */
  readonly failure?: string | undefined;
}

export interface Verdict {
  readonly workload: string;
  readonly title: string;
  readonly aim: string;
  readonly text: string;
}

export interface Report {
  readonly machine: string;
  readonly rows: readonly Row[];
  readonly verdicts: readonly Verdict[];
}

export function rowOf(
  costs: readonly Cost[],
  facts: Pick<Row, 'workload' | 'title' | 'client' | 'requests' | 'connections' | 'failure'>,
): Row {
  const peaks = costs.flatMap(({ peakBytes }) => (peakBytes === undefined ? [] : [peakBytes]));
  return {
    ...facts,
    runs: costs.length,
    wall: median(costs.map(({ wall }) => wall)),
    fastestWall: Math.min(...costs.map(({ wall }) => wall)),
    cpu: median(costs.map(({ user, system }) => user + system)),
    peakBytes: peaks.length === 0 ? undefined : Math.max(...peaks),
  };
}

/** Markdown, that reads as text too. */
export function reportText({ machine, rows, verdicts }: Report): string {
  const head = [
    '',
    'workload',
    'client',
    'wall',
    'processor',
    'best wall',
    '× regi',
    'peak',
    'requests',
    'connections',
    'runs',
  ];
  const cells = rows.map((row, index) => [
    row.workload === rows[index - 1]?.workload ? '' : row.workload,
    row.workload === rows[index - 1]?.workload ? '' : row.title,
    row.client,
    ...(row.failure === undefined
      ? [
          seconds(row.wall),
          seconds(row.cpu),
          seconds(row.fastestWall),
          ratio(row, rows),
          megabytes(row),
        ]
      : [`failed: ${row.failure}`, '', '', '', '']),
    row.requests === undefined ? '' : String(row.requests),
    row.connections === undefined ? '' : String(row.connections),
    String(row.runs),
  ]);
  const judged = verdicts.map(({ workload, title, aim, text }) => [workload, title, aim, text]);
  return [
    machine,
    '',
    table(head, cells),
    '',
    '### Aims',
    '',
    table(['', 'workload', 'aim', 'result'], judged),
    '',
  ].join('\n');
}

function ratio(row: Row, rows: readonly Row[]): string {
  const own = rows.find(
    ({ workload, client, failure }) =>
      workload === row.workload && client === 'regi' && failure === undefined,
  );
  return own === undefined || own === row ? '' : (row.wall / own.wall).toFixed(2);
}

export function seconds(value: number): string {
  return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`;
}

function megabytes({ peakBytes }: Row): string {
  return peakBytes === undefined ? '' : `${(peakBytes / 1e6).toFixed(0)} MB`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0), 1),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [first = [], ...rest] = all;
  return [
    line(first),
    `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`,
    ...rest.map(line),
  ].join('\n');
}
