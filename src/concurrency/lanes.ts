/** Blobs up to this many bytes are small: what they cost is the round trip, not the bytes. */
const SMALL_BYTES = 1024 * 1024;

/** Whether it is the round trips that count. */
export function isSmall(bytes: number): boolean {
  return bytes <= SMALL_BYTES;
}

/** Requests to one host at once: by what they carry, or whatever they carry. */
export type LaneWidths =
  | { readonly small: number; readonly large: number }
  | { readonly both: number };

/** 24 small ones hide the round trips of a usual image in one wave; 4 large ones fill a link. */
export const DEFAULT_LANES: LaneWidths = { small: 24, large: 4 };

/** For a host that said it is asked too often: 4 at once, of which a large one never takes all. */
export const SLOW_LANES: LaneWidths = { small: 3, large: 1 };

interface HostLanes {
  readonly small: Lane;
  readonly large: Lane;
}

export interface LaneOptions {
  /** Lets all that waits for the same host without this go first: what begins something new may wait for what ends something. */
  readonly yields?: boolean | undefined;
}

/** Gives the room at one of the places back before the work ends. */
export type Leave = (place: string) => void;

/**
 * The one scheduler of a command: how many transfers each host serves at once, however many images are moved. Small ones have
 * a lane of their own unless one width is given for both, so that they never wait behind large ones.
 */
export class Lanes {
  readonly #hosts = new Map<string, HostLanes>();
  readonly #widthsOf: (place: string) => LaneWidths;

  /** @param widths a function is asked again before each transfer: a host may have become slow. */
  constructor(widths: LaneWidths | ((place: string) => LaneWidths) = DEFAULT_LANES) {
    this.#widthsOf = typeof widths === 'function' ? widths : () => widths;
  }

  /**
   * Runs `work` when each of the places has room for a transfer of `size` bytes.
   *
   * Room is taken in one order over all places: two transfers in opposite directions cannot wait for each other.
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

/** Gives lanes that are in use another width. What is too much for it ends as it is. */
function fit(lanes: HostLanes, widths: LaneWidths): HostLanes {
  const { small, large } = lanes;
  const isOne = small === large;
  const sum = 'both' in widths ? widths.both : widths.small + widths.large;
  const ofLarge = 'both' in widths ? 1 : widths.large;
  small.widen(isOne ? sum : Math.max(1, sum - ofLarge));
  if (!isOne) large.widen(ofLarge);
  return lanes;
}

/** Room for so many at once; who finds none waits. Those that yield come after all that do not, and otherwise the first comes first. */
class Lane {
  #width: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #yielding: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  /** Resolves when there is room, with what gives it back; giving it back twice does nothing. */
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

  /** Changes how many have room. Who is inside already stays. */
  widen(width: number): void {
    this.#width = width;
    this.#admit();
  }

  #admit(): void {
    while (this.#inside < this.#width) {
      const admit = this.#waiting.shift() ?? this.#yielding.shift();
      if (admit === undefined) return;
      // Counted here and not when it goes on: until then another could take the same room.
      this.#inside += 1;
      admit();
    }
  }
}
