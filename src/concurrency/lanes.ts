/** Up to this size a blob costs its round trip, not its bytes. */
const SMALL_BYTES = 1024 * 1024;

/** True if round trips dominate the cost of a transfer of this size. */
export function isSmall(bytes: number): boolean {
  return bytes <= SMALL_BYTES;
}

/** Parallel transfers with one host: small and large ones apart, or all together. */
export type LaneWidths =
  | { readonly small: number; readonly large: number }
  | { readonly both: number };

/**
 * 24 small transfers hide the round trips of a usual image in one wave; 4 large ones fill a link.
 */
export const DEFAULT_LANES: LaneWidths = { small: 24, large: 4 };

/** For a host that answered 429: 4 transfers, of which large ones never take all. */
export const SLOW_LANES: LaneWidths = { small: 3, large: 1 };

interface HostLanes {
  readonly small: Lane;
  readonly large: Lane;
}

export interface LaneOptions {
  /**
   * Runs after all work that waits for the same host without this: starting an image may wait for
   * work that ends one.
   */
  readonly yields?: boolean | undefined;
}

/** Gives the room at one of the places back before the work ends. */
export type Leave = (place: string) => void;

/**
 * Limits the parallel transfers with each host, however many images are copied. A command has one
 * instance. Small transfers have a lane of their own, so that they never wait behind large ones.
 *
 * Lanes are for work where order, yielding and changing widths matter; a plain limit takes p-limit.
 */
export class Lanes {
  readonly #hosts = new Map<string, HostLanes>();
  readonly #widthsOf: (place: string) => LaneWidths;

  /**
   * @param widths a function is called before each transfer, because a host may have become slow.
   */
  constructor(widths: LaneWidths | ((place: string) => LaneWidths) = DEFAULT_LANES) {
    this.#widthsOf = typeof widths === 'function' ? widths : () => widths;
  }

  /**
   * Runs `work` once each of the places has room for a transfer of `size` bytes.
   *
   * All callers take room in the same order of places. Two transfers in opposite directions cannot
   * deadlock.
   */
  async run<T>(
    places: readonly string[],
    size: number,
    signal: AbortSignal,
    work: (leave: Leave) => Promise<T>,
    options: LaneOptions = {},
  ): Promise<T> {
    const lane = isSmall(size) ? 'small' : 'large';
    const ordered = [...new Set(places)].toSorted();
    const held = new Map<string, () => void>();
    const leave = (place: string): void => {
      held.get(place)?.();
      held.delete(place);
    };
    try {
      for (const place of ordered) held.set(place, await this.#host(place)[lane].enter(options));
      signal.throwIfAborted();
      // A host may have become slow while we waited.
      for (const place of ordered) this.#host(place);
      return await work(leave);
    } finally {
      for (const place of ordered) leave(place);
    }
  }

  #host(place: string): HostLanes {
    const widths = this.#widthsOf(place);
    const known = this.#hosts.get(place);
    if (known !== undefined) return fit(known, widths);
    const lanes = lanesOf(widths);
    this.#hosts.set(place, lanes);
    return lanes;
  }
}

function lanesOf(widths: LaneWidths): HostLanes {
  if (!('both' in widths)) return { small: new Lane(widths.small), large: new Lane(widths.large) };
  const both = new Lane(widths.both);
  return { small: both, large: both };
}

/** Changes the widths of lanes in use. Transfers beyond the new width run to their end. */
function fit(lanes: HostLanes, widths: LaneWidths): HostLanes {
  const { small, large } = lanes;
  const isOne = small === large;
  const sum = 'both' in widths ? widths.both : widths.small + widths.large;
  const ofLarge = 'both' in widths ? 1 : widths.large;
  small.widen(isOne ? sum : Math.max(1, sum - ofLarge));
  if (!isOne) large.widen(ofLarge);
  return lanes;
}

/** A semaphore with two FIFO queues; yielding waiters run after all others. */
class Lane {
  #width: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #yielding: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  /**
   * Resolves once there is room, with a function that gives it back; a second call does nothing.
   */
  async enter({ yields = false }: { readonly yields?: boolean | undefined } = {}): Promise<
    () => void
  > {
    if (this.#inside < this.#width) this.#inside += 1;
    else await new Promise<void>((admit) => (yields ? this.#yielding : this.#waiting).push(admit));
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#inside -= 1;
      this.#admit();
    };
  }

  /** Changes the width. Work that is inside stays. */
  widen(width: number): void {
    this.#width = width;
    this.#admit();
  }

  #admit(): void {
    while (this.#inside < this.#width) {
      const admit = this.#waiting.shift() ?? this.#yielding.shift();
      if (admit === undefined) return;
      // Counted here, not when the waiter resumes: until then another could take the same room.
      this.#inside += 1;
      admit();
    }
  }
}
