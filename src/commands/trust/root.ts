import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { pageStyle } from '../../render/page-style.ts';
import { tableLines } from '../../render/table.ts';
import { linesText, type Styled } from '../../styled.ts';
import { newestKey, publicGoodRoot, type TrustedKey } from '../../trust/keyless/trusted-root.ts';
import { readTrustedRoot } from './policy.ts';

/** One key or authority, as `--json` prints it. */
interface ShownKey {
  readonly kind: 'certificate authority' | 'certificate log' | 'log' | 'timestamp authority';
  readonly name: string;
  readonly start: string;
  readonly end: string | undefined;
}

export interface TrustRootRow {
  readonly name: string;
  /** The day of the newest key: the root may be younger. */
  readonly newest: string;
  readonly keys: readonly ShownKey[];
}

/** `regi trust root`: shows whose word counts for signatures with certificates. */
export const trustRootCommand: CommandBody<TrustRootRow> = { run: runRoot, text: rootText };

async function* runRoot(args: ParsedArguments, context: Context): AsyncIterable<TrustRootRow> {
  const root = (await readTrustedRoot(args, context)) ?? (await publicGoodRoot());
  const shown = (kind: ShownKey['kind'], keys: readonly TrustedKey[]): readonly ShownKey[] =>
    keys.map(({ name, start, end }) => ({
      kind,
      name,
      start: start.toISOString(),
      end: end?.toISOString(),
    }));
  yield {
    name: root.name,
    newest: newestKey(root),
    keys: [
      ...shown('certificate authority', root.certificateAuthorities),
      ...shown('certificate log', root.certificateLogs),
      ...shown('log', root.logs),
      ...shown('timestamp authority', root.timestampAuthorities),
    ],
  };
}

function rootText({ name, newest, keys }: TrustRootRow, context: Context): Styled {
  const rows = keys.map(({ kind, name: key, start, end }) => [
    `  ${kind}`,
    key,
    `from ${start.slice(0, 10)}`,
    end === undefined ? '' : `to ${end.slice(0, 10)}`,
  ]);
  return linesText([
    `${name}: newest key of ${newest}`,
    ...tableLines([{}, { role: 'name' }, {}, {}], rows, pageStyle(context)),
  ]);
}
