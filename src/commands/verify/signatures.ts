import { dirname, resolve } from 'node:path';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import type { Repository } from '../../oci/reference.ts';
import { parseReference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { tableLines } from '../../render/text.ts';
import { type Location } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import type { KeyRule, TrustPolicy } from '../../trust/policy.ts';
import { parsePolicy, policyForAll } from '../../trust/policy.ts';
import { parseSigningKey } from '../../trust/signing-key.ts';
import { verifySignatures, type SignatureReport } from '../../trust/verify-signatures.ts';
import { value } from '../arguments/arguments.ts';

export interface SignatureRow extends SignatureReport {
  /** As typed. */
  readonly location: string;
  /** The scope of the policy that decided. */
  readonly scope: string;
}

const POLICY_LIMIT_BYTES = 1024 * 1024;

/** Verifies the signatures of locations. @throws {RegiError} POLICY_REFUSED at the end if one is refused. */
export async function* verifySignaturesOf(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<SignatureRow> {
  // The policy and its keys are read before the first request.
  const policy = await policyOf(args, context);
  const refused: SignatureRow[] = [];
  yield* withStores(context, {}, async function* (stores) {
    for (const text of args.positionals) {
      const location = await parseSourceLocation(text, context.io);
      const { rule, scope } = ruleFor(policy, nameOf(location, args), text);
      const { store, reference } = await stores.open(location, 'source');
      // A tag is resolved once; with a digest, the tag is only a label.
      const root = await store.resolve(reference, { signal: context.signal });
      const report = await verifySignatures(store, root.digest, rule, { signal: context.signal });
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
export function signatureText({
  location,
  digest,
  accepted,
  step,
  candidates,
  skipped,
}: SignatureRow): string {
  const lines = candidates.map(({ origin, form, signer, step: at, reason }) => [
    `  ${shortened(origin)}`,
    form ?? '-',
    at,
    signer ?? reason ?? '',
  ]);
  const rest = skipped.length === 0 ? '' : `  ${formatCount(skipped.length, 'other referrer')}\n`;
  return `${accepted ? 'signed' : `refused (${step})`} ${location}@${digest}\n${tableLines(lines)
    .map((line) => `${line}\n`)
    .join('')}${rest}`;
}

function shortened(origin: string): string {
  return origin.replace(/^(sha256[:-][0-9a-f]{12})[0-9a-f]{52}/, '$1…');
}

/** Reads the policy of `--verify` or `--key`, with its keys. @throws {UsageError} unless exactly one is given. */
export async function policyOf(args: ParsedArguments, context: Context): Promise<TrustPolicy> {
  const file = value(args, 'verify');
  const key = value(args, 'key');
  if ((file === undefined) === (key === undefined)) {
    throw new UsageError('Cannot verify signatures: expected one of --verify FILE and --key FILE', {
      hint: 'type: regi verify --signatures --key cosign.pub IMAGE',
    });
  }
  const { cwd } = context.io;
  if (file !== undefined) {
    const path = resolve(cwd, file);
    return parsePolicy(await readText(path, file), {
      name: file,
      readKey: async (name) => readText(resolve(dirname(path), name), name),
    });
  }
  const name = key ?? '';
  const rule: KeyRule = {
    kind: 'key',
    keys: [parseSigningKey(await readText(resolve(cwd, name), name), name)],
    threshold: 1,
    log: 'none',
    predicateTypes: [],
    annotations: {},
    narrowed: 'refuse',
    signaturesFrom: undefined,
  };
  return policyForAll(rule);
}

/** Returns the rule that decides. @throws {RegiError} POLICY_REFUSED where no scope covers the image. */
export function ruleFor(
  policy: TrustPolicy,
  name: Repository | undefined,
  text: string,
): { readonly rule: KeyRule; readonly scope: string } {
  const found = policy.ruleFor(name ?? { domain: '', path: '' });
  if (found === undefined) {
    throw new RegiError(
      'POLICY_REFUSED',
      `Cannot accept ${quote(text)}: no scope of the policy covers it`,
      {
        hint:
          name === undefined
            ? 'names inside a file are not trusted: say which image it is with --as NAME'
            : 'add a scope for its repository to the policy',
      },
    );
  }
  const { rule, scope } = found;
  if (rule.kind === 'key') return { rule, scope };
  throw new UsageError(
    rule.kind === 'accept'
      ? `Cannot verify ${quote(text)}: the policy accepts it unsigned`
      : `Cannot verify ${quote(text)}: rules with "keyless" are not supported yet`,
    { hint: 'use a rule with key or keys' },
  );
}

/** The operator's name decides, never one inside a file. */
function nameOf(location: Location, args: ParsedArguments): Repository | undefined {
  const as = value(args, 'as');
  if (as !== undefined) return parseReference(as);
  return location.kind === 'registry' ? location.reference : undefined;
}

async function readText(path: string, shown: string): Promise<string> {
  const bytes = await readRegular(path, POLICY_LIMIT_BYTES);
  if (bytes !== undefined) return Buffer.from(bytes).toString('utf8');
  throw new RegiError('INVALID_CONFIG', `Cannot find ${quote(shown)}: there is no such file`, {
    hint: 'name the file by its path from the policy, or from here',
  });
}
