import { createContext, Script } from 'node:vm';

/**
 * Tests texts with a regular expression whose author may have written one that backtracks for ever, such as `(a+)+$`.
 * JavaScript has no other way to stop one than to stop the script around it; this costs about 0.1 ms a text.
 *
 * @returns a test that throws when it takes longer than `timeoutMs`, or when the expression is too large to be compiled.
 */
export function matchInTime(regex: RegExp, timeoutMs: number): (text: string) => boolean {
  const script = new Script('regex.test(text)');
  const context = createContext({ regex, text: '' });
  return (text) => {
    context['text'] = text;
    return script.runInContext(context, { timeout: timeoutMs }) === true;
  };
}
