import { RegiError, type ErrorCode } from '../../errors.ts';
import { printable } from '../../redact.ts';

/** An error as `--json` shows it. `BUG` is an error that regi did not mean to throw. */
export interface ErrorObject {
  readonly code: ErrorCode | 'BUG';
  readonly message: string;
  readonly hint?: string | undefined;
}

/**
 * An error as a person reads it: a line of what was wrong, and one of what to type. A bug keeps its stack.
 *
 * @param causes adds a line for each cause, for `--verbose`.
 */
export function errorText(error: unknown, causes = false): string {
  const { code, message, hint } = errorObject(error);
  const lines = [`regi: ${message}`];
  if (hint !== undefined) lines.push(`  ${hint}`);
  if (code === 'BUG' && error instanceof Error) lines.push(...stackOf(error));
  // What an error says of its cause is not said again.
  if (causes)
    lines.push(
      ...causesOf(error)
        .filter((cause) => !message.includes(cause))
        .map((cause) => `  because: ${oneLine(cause)}`),
    );
  return lines.join('\n');
}

/** An error as `--json` and `--progress json` show it. */
export function errorObject(error: unknown): ErrorObject {
  if (error instanceof RegiError) {
    const hint = error.hint ?? HINTS[error.code];
    return {
      code: error.code,
      message: oneLine(error.message),
      ...(hint !== undefined && { hint: oneLine(hint) }),
    };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    code: 'BUG',
    message: oneLine(`Unexpected ${message}`),
    hint: 'this is a fault of regi: please report it with the command and these lines',
  };
}

/** What to type or do where the error itself knows nothing better. */
const HINTS: Readonly<Record<ErrorCode, string | undefined>> = {
  FAILED: 'add -v to see each request',
  REFUSED: 'add -v to see each request, or ask who runs the registry',
  UNSUPPORTED: '`regi help` lists what this version can do',
  ALREADY_EXISTS: 'choose another name',
  STORAGE_FAILED: 'check the path, its owner and the space that is left there',
  LOCKED: 'wait until the other command has ended',
  USAGE: 'add --help to see the arguments and flags',
  INVALID_REFERENCE: 'write [HOST[:PORT]/]NAME[:TAG][@DIGEST]',
  INVALID_DIGEST: 'write sha256:<64 hex> or sha512:<128 hex>',
  INVALID_PLATFORM: 'write OS/ARCHITECTURE[/VARIANT]',
  INVALID_CONFIG: 'mend that file, or move it away',
  NOT_FOUND: 'check the spelling',
  NOT_AUTHORISED: 'type regi login and the name of the registry',
  UNSAFE_REALM: 'nothing was sent there; ask who runs the registry',
  UNSAFE_REDIRECT: 'nothing was sent there; ask who runs the registry',
  INVALID_RESPONSE: 'add -v to see what answers there, and ask who runs it',
  NETWORK: 'check the network connection, then try again',
  SERVER_FAILED: 'try again later',
  TIMEOUT: 'try again, or allow more with --timeout',
  TLS: 'ask who runs the server',
  RATE_LIMITED: 'wait and try again',
  CONTENT_MISMATCH: 'the source is damaged or was changed: push the image there again',
  INVALID_MANIFEST: 'the image is damaged, or was made by a faulty tool: push it there again',
  INVALID_ARCHIVE: 'the file is damaged, or is no image archive: make it again',
  LIMIT_EXCEEDED: 'no honest image or registry needs more: ask who made it or runs it',
  PARTIAL_FAILURE: 'run the same command again: what arrived is not copied twice',
  INTERRUPTED: undefined,
};

/** A text of a peer may have several lines; ours have one. */
function oneLine(text: string): string {
  return printable(text.replace(/\s*[\r\n]+\s*/g, ' '));
}

function stackOf(error: Error): readonly string[] {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return frames.map((frame) => `  ${printable(frame.trim())}`);
}

function causesOf(error: unknown): readonly string[] {
  const messages: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  // A cause that is its own cause would never end.
  for (let depth = 0; cause instanceof Error && depth < 8; depth += 1) {
    messages.push(cause.message);
    cause = cause.cause;
  }
  return messages;
}
