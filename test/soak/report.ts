import { FAULT_KINDS } from '../faults/fault-kinds.ts';
import { FAULTY_COMMANDS } from '../faults/faulty-commands.ts';
import type { Coverage } from './coverage.ts';

/** What a soak has seen. */
export interface Tally {
  operations: number;
  endedWell: number;
  endedWithError: number;
  /** Failed commands that were run once more without a fault. */
  runAgain: number;
  retries: number;
  bytesMoved: number;
  bytesResent: number;
  /** Each with the command, its faults and what was found: nothing is in there when all is well. */
  readonly mismatches: string[];
  readonly leaks: string[];
  readonly hung: string[];
  readonly bugs: string[];
}

export const WANTED_HITS = 20;
export const WANTED_FAULTS = 10_000;
const SHOWN = 20;

/** Whether nothing was found. That enough was tried is another question. */
export function isClean({ mismatches, leaks, hung, bugs }: Tally): boolean {
  return mismatches.length + leaks.length + hung.length + bugs.length === 0;
}

export function reportText(tally: Tally, coverage: Coverage, seconds: number): string {
  const rows: readonly (readonly [string, number])[] = [
    ['faults injected, by the log of the servers', coverage.total()],
    ['fewest hits of a fault kind × command', coverage.least()],
    ['operations', tally.operations],
    ['  that ended well', tally.endedWell],
    ['  that ended with an error', tally.endedWithError],
    ['  of these run again without a fault', tally.runAgain],
    ['retries', tally.retries],
    ['bytes moved', tally.bytesMoved],
    ['bytes re-sent', tally.bytesResent],
    ['mismatches', tally.mismatches.length],
    ['leaked temporary files', tally.leaks.length],
    ['hung operations', tally.hung.length],
    ['errors that regi did not mean', tally.bugs.length],
    ['seconds', Math.round(seconds)],
  ];
  const found = [...tally.mismatches, ...tally.leaks, ...tally.hung, ...tally.bugs];
  return [
    tableText(coverage),
    ...rows.map(([name, value]) => `${name.padEnd(46)}${value.toLocaleString('en').padStart(15)}`),
    ...found.slice(0, SHOWN).map((line) => `  ${line}`),
    ...(found.length > SHOWN ? [`  and ${found.length - SHOWN} more`] : []),
    '',
  ].join('\n');
}

/** Fault kind × command; `·` where a command sends no request that the fault could strike. */
function tableText(coverage: Coverage): string {
  const width = Math.max(...FAULT_KINDS.map(({ name }) => name.length));
  const names = FAULTY_COMMANDS.map(({ name }) =>
    name.replace(/ --?chunk-size/, '-chunks').replace(' ', '-'),
  );
  const hits = new Map(
    coverage.pairs.map(({ kind, command, hits: count }) => [`${kind.name} ${command.name}`, count]),
  );
  const cell = (text: string, index: number): string =>
    text.padStart((names[index]?.length ?? 0) + 2);
  return [
    `${''.padEnd(width)}${names.map(cell).join('')}`,
    ...FAULT_KINDS.map(
      (kind) =>
        `${kind.name.padEnd(width)}${FAULTY_COMMANDS.map((command, index) => cell(String(hits.get(`${kind.name} ${command.name}`) ?? '·'), index)).join('')}`,
    ),
    '',
  ].join('\n');
}
