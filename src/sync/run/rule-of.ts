import { resolve } from 'node:path';

import { RegiError } from '../../errors.ts';
import { isDigest, parseDigest } from '../../oci/digest.ts';
import { parseTag, type Reference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { filePlaceOf } from '../../targets/file-place.ts';
import type { Gate } from '../../trust/gate.ts';
import type { TrustPolicy, TrustRule } from '../../trust/policy.ts';
import type { SourcePlace } from '../file/places.ts';
import { sourceName } from '../plan/plan.ts';
import type { Route } from '../plan/routes.ts';

export interface RuleOptions {
  /** Rules that entries name with `verify`. */
  readonly policies: ReadonlyMap<string, TrustRule>;
  /** The policy of the command line, for all images. */
  readonly policy: TrustPolicy | undefined;
  /** Relative paths of the file begin here. */
  readonly folder: string;
}

/**
 * Finds the rule for an image: that of the command line, or the one that its entry names.
 *
 * @throws {RegiError} POLICY_REFUSED where the policy of the command line has no rule for it.
 */
export function ruleOf(
  route: Route,
  reference: string,
  { policies, policy, folder }: RuleOptions,
): Pick<Gate, 'rule' | 'scope'> | undefined {
  const { entry, source } = route;
  if (policy !== undefined) {
    const { from } = entry;
    const found =
      from.kind === 'place'
        ? ruleForPlace(from, policy, folder)
        : policy.ruleFor({ ...source, ...suffixOf(reference) });
    if (found !== undefined) return found;
    const name = quote(sourceName(route, reference));
    throw new RegiError(
      'POLICY_REFUSED',
      `Cannot accept ${name}: no scope of the policy covers it`,
      {
        hint: 'the policy of the command line knows registries and files; for the local store, write a rule and name it with verify',
      },
    );
  }
  if (entry.verify === undefined) return undefined;
  const rule = policies.get(entry.verify);
  // The file was checked; a name that is missing all the same must not let the image pass.
  if (rule === undefined) throw new Error(`No policy is called ${entry.verify}`);
  return { rule, scope: entry.verify };
}

function ruleForPlace(
  { location }: SourcePlace,
  policy: TrustPolicy,
  folder: string,
): ReturnType<TrustPolicy['ruleFor']> {
  const place = location === 'local' ? undefined : filePlaceOf(location);
  if (place === undefined) return undefined;
  // The names inside are those of its author.
  return policy.ruleFor({ domain: '', path: '' }, { ...place, path: resolve(folder, place.path) });
}

function suffixOf(reference: string): Pick<Reference, 'digest' | 'tag'> {
  return isDigest(reference) ? { digest: parseDigest(reference) } : { tag: parseTag(reference) };
}
