import { RegiError, type ErrorCode } from '../errors.ts';
import { printable } from '../redact.ts';

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
  const lines = [`regi: ${oneLine(message)}`];
  if (hint !== undefined) lines.push(`  ${oneLine(hint)}`);
  if (code === 'BUG' && error instanceof Error) lines.push(...stackOf(error));
  if (causes) lines.push(...causesOf(error).map((cause) => `  because: ${oneLine(cause)}`));
  return lines.join('\n');
}

/** An error as `--json` and `--progress json` show it. */
export function errorObject(error: unknown): ErrorObject {
  if (error instanceof RegiError) {
    return { code: error.code, message: printable(error.message), ...(error.hint !== undefined && { hint: printable(error.hint) }) };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: 'BUG', message: printable(`Unexpected ${message}`), hint: 'this is a fault of regi: please report it with the command and these lines' };
}

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
