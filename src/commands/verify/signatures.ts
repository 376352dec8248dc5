import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import type { Repository } from '../../oci/reference.ts';
import { parseReference, repositoryName } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { pageStyle } from '../../render/page-style.ts';
import { tableLines } from '../../render/table.ts';
import { wrapLine } from '../../render/text.ts';
import { linesText, styled, type Styled } from '../../styled.ts';
import { type Location } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import { candidateLine, judge } from '../../trust/gate.ts';
import type { SignatureReport } from '../../trust/verify-signatures.ts';
import { value } from '../arguments/arguments.ts';
import { gateFor } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';

export interface SignatureRow extends SignatureReport {
  /** As typed. */
  readonly location: string;
  /** The scope of the policy that decided. */
  readonly scope: string;
}

/**
 * Verifies the signatures of locations. @throws {RegiError} POLICY_REFUSED at the end if one is
 * refused.
 */
export async function* verifySignaturesOf(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<SignatureRow> {
  // The policy and its keys are read before the first request.
  const policy = await readPolicy(args, context);
  if (policy === undefined)
    throw new UsageError(
      'Cannot verify signatures: expected --key, --identity, --verify or --policy',
      {
        hint: 'type: regi verify --signatures --key cosign.pub IMAGE',
      },
    );
  const refused: SignatureRow[] = [];
  yield* withStores(context, {}, async function* (stores) {
    for (const text of args.positionals) {
      const location = await parseSourceLocation(text, context.io);
      const name = nameOf(location, args);
      // --as names an image of a registry, whatever holds it here.
      const place = value(args, 'as') === undefined ? location : undefined;
      const gate = await gateFor(policy, { name, text, location: place }, stores);
      const { rule, scope } = gate;
      if (rule.kind === 'accept')
        throw new UsageError(`Cannot verify ${quote(text)}: the policy accepts it unsigned`, {
          hint: 'use a rule with key or keys',
        });
      const { store, reference, fullName } = await stores.open(location, 'source');
      const repository = fullName && repositoryName(fullName);
      // A tag is resolved once; with a digest, the tag is only a label.
      const root = await store.resolve(reference, { signal: context.signal });
      const { digest } = root;
      const { signal } = context;
      const report = await judge({ ...gate, rule, repository }, store, { digest }, { signal });
      // Of an index whose images are verified one by one, the refused one is named.
      const row = { location: text, scope, ...report };
      if (!row.accepted) refused.push(row);
      yield row;
    }
  });
  const [first] = refused;
  if (first === undefined) return;
  throw new RegiError(
    'POLICY_REFUSED',
    `Cannot accept ${refused.map(({ location }) => quote(location)).join(', ')}: the policy refuses the signatures at the step "${first.step}"`,
    {
      hint:
        first.candidates.length === 0
          ? 'there is no signature; sign the image, or name the key that signed it'
          : 'the lines above say why each signature was refused',
    },
  );
}

/** Prints the image, then a line per candidate. */
export function signatureText(
  { location, digest, accepted, step, candidates, skipped, reason }: SignatureRow,
  context: Context,
): Styled {
  const style = pageStyle(context);
  const lines = candidates.map((candidate) => {
    const [origin = '', ...cells] = candidateLine(candidate);
    return [`  ${origin}`, ...cells];
  });
  const result = accepted ? styled('good', 'signed') : styled('bad', `refused (${step})`);
  const image = [result, ' ', styled('name', location), styled('detail', `@${digest}`)];
  const rest = [
    ...(reason === undefined ? [] : [`  ${reason}`]),
    ...(skipped.length === 0 ? [] : [`  ${formatCount(skipped.length, 'other referrer')}`]),
  ];
  return linesText([
    ...wrapLine(image, style),
    ...tableLines([{ role: 'detail' }, { rank: 1 }, {}, {}], lines, style),
    ...rest,
  ]);
}

/** The operator's name decides, never one inside a file. */
function nameOf(location: Location, args: ParsedArguments): Repository | undefined {
  const as = value(args, 'as');
  if (as !== undefined) return parseReference(as);
  return location.kind === 'registry' ? location.reference : undefined;
}
