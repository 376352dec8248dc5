import { matchesWildcard } from '../../wildcard.ts';
import type { KeylessRule } from '../policy.ts';
import { refusal, type Refusal } from '../verdict.ts';
import type { VerifiedEvidence } from './sigstore.ts';

/**
 * Extensions of Fulcio's certificates that hold plain text.
 *
 * @see https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
 */
const GITHUB_EXTENSIONS: Readonly<Record<string, string>> = {
  trigger: '1.3.6.1.4.1.57264.1.2',
  sha: '1.3.6.1.4.1.57264.1.3',
  workflow: '1.3.6.1.4.1.57264.1.4',
  repository: '1.3.6.1.4.1.57264.1.5',
  ref: '1.3.6.1.4.1.57264.1.6',
};

/**
 * Checks that a certificate names the signer of the rule: its issuer exactly, its only name exactly
 * or by the whole glob.
 */
export function checkIdentity(
  { subject = '', subjects, issuer = '', extensions }: VerifiedEvidence,
  rule: Pick<KeylessRule, 'github' | 'identity' | 'issuer'>,
): Refusal | undefined {
  if (subjects !== 1 || subject === '')
    return refusal('identity', `its certificate has ${subjects} names instead of one`);
  if (issuer === '' || issuer !== rule.issuer)
    return refusal('identity', `its issuer is ${JSON.stringify(issuer)}`);
  if (!matchesWildcard(subject, rule.identity))
    return refusal('identity', `it is signed by ${JSON.stringify(subject)}`);
  for (const [name, wanted] of Object.entries(rule.github)) {
    const found = extensions.get(GITHUB_EXTENSIONS[name] ?? '');
    if (found !== wanted)
      return refusal(
        'identity',
        `its ${name} is ${found === undefined ? 'absent' : JSON.stringify(found)}`,
      );
  }
  return undefined;
}
