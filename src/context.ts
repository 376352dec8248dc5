import type { Io } from './io.ts';
import type { OnEvent } from './operations/copy/events.ts';

export type ProgressMode = 'auto' | 'plain' | 'json' | 'none';

/** Where a side's password is, never the password: command lines are readable by everyone on the machine. */
export interface CredentialPointer {
  readonly username: string;
  readonly from:
    | { readonly kind: 'env'; readonly name: string }
    | { readonly kind: 'file'; readonly path: string };
}

/** The flags that every command takes, parsed. */
export interface Settings {
  readonly json: boolean;
  readonly quiet: boolean;
  /** 0 silent, 1 each request, 2 headers too. */
  readonly verbosity: 0 | 1 | 2;
  readonly progress: ProgressMode;
  /** Connections per host; undefined leaves the lanes' own defaults. */
  readonly concurrency: number | undefined;
  /** Bytes per second over the whole command. */
  readonly limitRate: number | undefined;
  /** Upload in chunks of this many bytes. */
  readonly chunkSize: number | undefined;
  /** HOST[:PORT] or CIDR: https unverified, then http. */
  readonly insecureRegistries: readonly string[];
  readonly plainHttp: readonly string[];
  readonly tlsSkipVerify: readonly string[];
  readonly caFile: string | undefined;
  readonly authfile: string | undefined;
  readonly sourceCredentials: CredentialPointer | undefined;
  readonly destinationCredentials: CredentialPointer | undefined;
  /** How long a peer may be silent, an upload's answer included; undefined leaves the transport's own defaults. */
  readonly timeoutMs: number | undefined;
  readonly retries: number;
}

/** What a command is given besides its arguments. */
export interface Context {
  readonly io: Io;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Takes every event of a copy; progress and summary are made from it. */
  readonly onEvent: OnEvent;
  /** A line on standard error, and one of what to do; control characters are made visible. */
  readonly warn: (message: string, hint?: string) => void;
  /** A plain line on standard error that is neither warning nor progress; silent with `--quiet`. */
  readonly note: (message: string) => void;
  /** A line of `--verbose`. */
  readonly log: (line: string) => void;
}
