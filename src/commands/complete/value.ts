import type { Context, Settings } from '../../context.ts';
import { assertNever } from '../../errors.ts';
import type { Io } from '../../io.ts';
import { pathValues, type CompletedValue } from './path.ts';

/** A value that is being typed. */
export interface ValueQuestion {
  /** Placeholder in the spec of the command: `REF`, `FILE`. */
  readonly name: string;
  readonly word: string;
  /** Name of the command; empty for the value of a flag. */
  readonly command: string;
}

/**
 * Placeholders in specs, by the kind of their value. A test checks that every placeholder has one.
 */
const PLACEHOLDERS = {
  location: 'A B BLOB DST LOC SRC',
  nothing:
    'AGE BYTES CREDS DIGEST ENTRY FILTER FORMAT HOST:PORT HOW I/N ID KEY=VALUE MODE N OLD=NEW ORDER PATH PATTERN S ' +
    'SIZE TEMPLATE TERM TYPE URL USER WHEN',
  path: 'DEST DIR FILE LOCK LOG OLD',
  registry: 'HOST PREFIX REGISTRY',
  'local or location': 'IMAGE NAME NEW REF',
  platform: 'P',
  repository: 'REPO',
  shell: 'SHELL',
} as const;

type ValueKind = keyof typeof PLACEHOLDERS;

export const VALUE_KINDS: ReadonlyMap<string, ValueKind> = new Map(
  Object.entries(PLACEHOLDERS).flatMap(([kind, names]) =>
    names.split(' ').map((name) => [name, kind as ValueKind]),
  ),
);

/** Common platforms. */
const PLATFORMS = [
  'linux/amd64',
  'linux/arm64',
  'linux/arm/v7',
  'linux/arm/v6',
  'linux/386',
  'linux/ppc64le',
  'linux/s390x',
  'linux/riscv64',
  'windows/amd64',
];

/** Longest wait after Tab. Milliseconds. */
const PATIENCE_MS = 2000;

/** Completes a value. Never throws, and omits candidates that cannot be found in time. */
export async function completeValue(
  question: ValueQuestion,
  settings: Settings,
  io: Io,
): Promise<readonly CompletedValue[]> {
  const kind = VALUE_KINDS.get(question.name) ?? 'nothing';
  switch (kind) {
    case 'nothing':
      return [];
    case 'platform':
      return PLATFORMS.map((value) => ({ value }));
    case 'shell':
      return ['bash', 'zsh', 'fish'].map((value) => ({ value }));
    case 'path':
      return pathValues('', question.word, io);
    case 'location':
    case 'local or location':
    case 'repository':
    case 'registry': {
      const { locationValues } = await import('./location.ts');
      return patiently(io, (signal) =>
        locationValues(
          { word: question.word, kind, local: LOCAL_COMMANDS.has(question.command) },
          quietContext(settings, { ...io, signal }),
        ),
      );
    }
    default:
      return assertNever(kind);
  }
}

/** Commands for which a bare word is an image in the local store. */
const LOCAL_COMMANDS: ReadonlySet<string> = new Set(['tag', 'push', 'images', 'rmi', 'export']);

/** Aborts the signal of `work` after the longest wait. */
async function patiently<T>(
  { clock, signal }: Io,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const [patience, done] = [new AbortController(), new AbortController()];
  clock.sleep(PATIENCE_MS, done.signal).then(
    () => patience.abort(),
    () => undefined,
  );
  try {
    return await work(AbortSignal.any([signal, patience.signal]));
  } finally {
    done.abort();
  }
}

/** Creates a context that prints nothing and asks for nothing. */
function quietContext(settings: Settings, io: Io): Context {
  return {
    // A locked keychain would ask for its password in the middle of a word.
    io: { ...io, runKeychain: undefined },
    settings: { ...settings, timeoutMs: PATIENCE_MS },
    signal: io.signal,
    onEvent: () => undefined,
    warn: () => undefined,
    note: () => undefined,
    wait: (_what, work) => work(),
    log: () => undefined,
  };
}
