import type { PasswordPointer } from './credentials/pointer.ts';
import type { Io } from './io.ts';
import type { OnEvent } from './operations/copy/events.ts';
import type { Styled } from './styled.ts';

export type ProgressMode = 'auto' | 'plain' | 'json' | 'none';

/** Parsed flags of every command. */
export interface Settings {
  readonly json: boolean;
  readonly quiet: boolean;
  /** 0 logs nothing, 1 requests, 2 headers too. */
  readonly verbosity: 0 | 1 | 2;
  readonly progress: ProgressMode;
  /** Connections per host; undefined means the defaults of the lanes. */
  readonly concurrency: number | undefined;
  /** Bytes per second over the whole command. */
  readonly limitRate: number | undefined;
  /** Bytes per chunk of an upload; undefined sends each blob in one request. */
  readonly chunkSize: number | undefined;
  /** HOST[:PORT] or CIDR: unverified https, then http. */
  readonly insecureRegistries: readonly string[];
  readonly plainHttp: readonly string[];
  readonly tlsSkipVerify: readonly string[];
  readonly caFile: string | undefined;
  readonly authfile: string | undefined;
  readonly sourceCredentials: PasswordPointer | undefined;
  readonly destinationCredentials: PasswordPointer | undefined;
  /** By host, or host and namespace: credentials that a file gives. The longest name wins. */
  readonly registryCredentials?: ReadonlyMap<string, PasswordPointer> | undefined;
  /** By host: files of further authorities that a file gives. Absolute paths. */
  readonly registryAuthorities?: ReadonlyMap<string, string> | undefined;
  /** By host: pulls that a command leaves unused, where the registry counts them. */
  readonly keptPulls?: ReadonlyMap<string, number> | undefined;
  /**
   * Longest silence of a peer, also after an upload; undefined means the defaults of the transport.
   */
  readonly timeoutMs: number | undefined;
  readonly retries: number;
}

/** Does work, and names it for a person: `Reading app.tar`. */
export type Wait = <T>(what: string, work: () => Promise<T>) => Promise<T>;

/** The environment of a command, besides its arguments. */
export interface Context {
  readonly io: Io;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Called with every event of a copy; drives progress and summary. */
  readonly onEvent: OnEvent;
  /** Prints a warning and a hint on standard error, with control characters escaped. */
  readonly warn: (message: string, hint?: string) => void;
  /** Prints a line on standard error that is neither warning nor progress; not with `--quiet`. */
  readonly note: (message: Styled) => void;
  /**
   * Does work during which nothing moves: after a moment, a terminal shows what the command waits
   * for.
   */
  readonly wait: Wait;
  /** Prints a line with `--verbose`. */
  readonly log: (line: string) => void;
}
