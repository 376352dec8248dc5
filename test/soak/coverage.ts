import { FAULT_KINDS, type FaultKind, type Target } from '../faults/fault-kinds.ts';
import { FAULTY_COMMANDS, type FaultyCommand } from '../faults/faulty-commands.ts';
import type { Random } from './random.ts';

/** Where a fault of one kind can strike a command. */
export interface Place {
  readonly side: 'source' | 'destination';
  readonly target: Target;
}

/** A kind of fault and a command that it can strike. */
export interface Pair {
  readonly kind: FaultKind;
  readonly command: FaultyCommand;
  readonly places: readonly Place[];
  /** Strikes, by the log of the server. */
  hits: number;
}

/** Which fault has struck which command how often, and which pair is next. */
export class Coverage {
  readonly pairs: readonly Pair[];

  constructor() {
    this.pairs = FAULTY_COMMANDS.flatMap((command) =>
      FAULT_KINDS.map((kind): Pair => ({
        kind,
        command,
        places: placesOf(kind, command),
        hits: 0,
      })),
    ).filter(({ places }) => places.length > 0);
  }

  /** One of the pairs with the fewest hits. */
  next(random: Random): Pair {
    const fewest = this.least();
    const candidates = this.pairs.filter(({ hits }) => hits === fewest);
    const chosen = candidates[random.below(candidates.length)];
    if (chosen === undefined) throw new Error('There is no pair to choose');
    return chosen;
  }

  /** A second fault for the same run of a command. */
  another({ command }: Pair, random: Random): Pair | undefined {
    const candidates = this.pairs.filter(
      (pair) => pair.command === command && pair.kind.isSlow !== true,
    );
    return candidates[random.below(candidates.length)];
  }

  count(kind: string, command: string): void {
    const pair = this.pairs.find(
      (candidate) => candidate.kind.name === kind && candidate.command.name === command,
    );
    if (pair !== undefined) pair.hits += 1;
  }

  least(): number {
    return Math.min(...this.pairs.map(({ hits }) => hits));
  }

  total(): number {
    return this.pairs.reduce((sum, { hits }) => sum + hits, 0);
  }
}

function placesOf({ targets }: FaultKind, { asks }: FaultyCommand): readonly Place[] {
  return (['source', 'destination'] as const).flatMap((side) =>
    targets
      .filter((target) => asks[side]?.includes(target))
      .map((target): Place => ({ side, target })),
  );
}
