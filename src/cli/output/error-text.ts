import { RegiError, type ErrorCode } from '../../errors.ts';
import { printable } from '../../redact.ts';
import { joined, styled, type Styled } from '../../styled.ts';

/** An error as `--json` prints it. `BUG` is any error other than a RegiError. */
export interface ErrorObject {
  readonly code: ErrorCode | 'BUG';
  readonly message: string;
  readonly hint?: string | undefined;
  readonly findings?: readonly string[] | undefined;
}

/**
 * Formats an error for people: a line with the problem, one per finding, and one with a hint. A bug
 * keeps its stack.
 *
 * @param causes adds a line for each cause, for `--verbose`.
 */
export function errorText(error: unknown, causes = false): Styled {
  const { code, message, hint, findings = [] } = errorObject(error);
  const lines: Styled[] = [styled('error', `regi: ${message}`)];
  lines.push(...findings.map((finding) => `  ${finding}`));
  if (hint !== undefined) lines.push(styled('detail', `  ${hint}`));
  if (code === 'BUG' && error instanceof Error) lines.push(...stackOf(error));
  // Skips causes that the message quotes.
  if (causes)
    lines.push(
      ...causesOf(error)
        .filter((cause) => !message.includes(cause))
        .map((cause) => `  because: ${oneLine(cause)}`),
    );
  return joined(lines, '\n');
}

/** Formats an error for `--json` and `--progress json`. */
export function errorObject(error: unknown): ErrorObject {
  if (error instanceof RegiError) {
    const hint = error.hint ?? HINTS[error.code];
    return {
      code: error.code,
      message: oneLine(error.message),
      ...(hint !== undefined && { hint: oneLine(hint) }),
      ...(error.findings.length > 0 && { findings: error.findings.map(oneLine) }),
    };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    code: 'BUG',
    message: oneLine(`Unexpected ${message}`),
    hint: 'this is a bug in regi: please report it with the command and these lines',
  };
}

/** Hints for errors without one of their own. */
const HINTS: Readonly<Record<ErrorCode, string | undefined>> = {
  FAILED: 'add -v to log each request',
  REFUSED: 'add -v to log each request, or ask the operator of the registry',
  UNSUPPORTED: '`regi help` lists the commands of this version',
  ALREADY_EXISTS: 'choose another name',
  STORAGE_FAILED: 'check the path, its owner and the free space',
  LOCKED: 'wait until the other command has finished',
  USAGE: 'add --help to see the arguments and flags',
  INVALID_REFERENCE: 'write [HOST[:PORT]/]NAME[:TAG][@DIGEST]',
  INVALID_DIGEST: 'write sha256:<64 hex> or sha512:<128 hex>',
  INVALID_PLATFORM: 'write OS/ARCHITECTURE[/VARIANT]',
  INVALID_CONFIG: 'correct that file, or move it away',
  NOT_FOUND: 'check the spelling',
  NOT_AUTHORISED: 'type: regi login REGISTRY',
  UNSAFE_REALM: 'nothing was sent there; ask the operator of the registry',
  UNSAFE_REDIRECT: 'nothing was sent there; ask the operator of the registry',
  INVALID_RESPONSE: 'add -v to see the responses, or ask the operator of the server',
  NETWORK: 'check the network connection and try again',
  SERVER_FAILED: 'try again later',
  TIMEOUT: 'try again, or allow more with --timeout',
  TLS: 'ask the operator of the server',
  RATE_LIMITED: 'wait and try again',
  CONTENT_MISMATCH: 'the source is damaged or has changed; push the image there again',
  INVALID_MANIFEST: 'the image is damaged, or a faulty tool made it; push it there again',
  INVALID_ARCHIVE: 'the file is damaged or is not an image archive; create it again',
  LIMIT_EXCEEDED: 'no valid image or registry needs more; ask its author or operator',
  PARTIAL_FAILURE: 'run the same command again; finished copies are skipped',
  POLICY_REFUSED: 'ask who signs the image, or correct the policy',
  INTERRUPTED: undefined,
};

/** Joins the lines of a message, which a peer may have sent. */
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
  // Stops at causes that refer to each other.
  for (let depth = 0; cause instanceof Error && depth < 8; depth += 1) {
    messages.push(cause.message);
    cause = cause.cause;
  }
  return messages;
}
