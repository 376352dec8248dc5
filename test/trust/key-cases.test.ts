import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { digestOf, parseDigest } from '../../src/oci/digest.ts';
import {
  parseBundle,
  parseEnvelope,
  parseSimpleSigning,
  type Candidate,
} from '../../src/trust/candidate.ts';
import { verifyWithKeys } from '../../src/trust/key-rule.ts';
import { isSameKey, parseSigningKey, type SigningKey } from '../../src/trust/signing-key.ts';
import { isRefusal, type Refusal, type TrustStep } from '../../src/trust/verdict.ts';

const FOLDER = join(import.meta.dirname, '../tables/trust');

interface Case {
  readonly id: string;
  readonly kind?: 'gpg';
  readonly image: string;
  readonly manifest?: string;
  readonly bundle?: string;
  readonly payloads?: readonly string[];
  readonly key: string;
  readonly expect: TrustStep | 'ok';
  readonly policy?: {
    readonly keys?: readonly string[];
    readonly threshold?: number;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly predicateTypes?: readonly string[];
  };
}

const CASES = readFileSync(join(FOLDER, 'cases.json'), 'utf8')
  .replace(/^\[\s*|\s*\]\s*$/g, '')
  .split('\n')
  .map((line) => line.trim().replace(/,$/, ''))
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Case)
  // Collected from lists and by gpgv: tests of their own.
  .filter(
    ({ kind, manifest, expect: wanted }) =>
      kind !== 'gpg' && manifest !== undefined && wanted !== 'collect',
  );

describe('verifyWithKeys()', () => {
  test.each(CASES.map((row) => [row.id, row] as const))('%s', (_, row) => {
    expect(outcome(row)).toBe(row.expect);
  });
});

function outcome(row: Case): TrustStep | 'ok' {
  const keys: SigningKey[] = [];
  for (const path of row.policy?.keys ?? [row.key]) {
    try {
      keys.push(parseSigningKey(read(path).toString('utf8'), path));
    } catch {
      // Here a key that cannot be used is refused when the policy is read.
      return 'signer';
    }
  }
  const digest = parseDigest(digestOf(read(row.image)));
  const content = {
    predicateTypes: row.policy?.predicateTypes ?? [],
    annotations: row.policy?.annotations ?? {},
  };
  const results = candidates(row).map((candidate) =>
    isRefusal(candidate) ? candidate : verifyWithKeys(candidate, digest, keys, content),
  );
  const signers = results.filter((result): result is SigningKey => !isRefusal(result));
  const different = keys.filter((key) => signers.some((signer) => isSameKey(signer, key)));
  const threshold = row.policy?.threshold ?? 1;
  if (different.length >= threshold) return 'ok';
  if (signers.length > 0) return 'threshold';
  return results.find((result): result is Refusal => isRefusal(result))?.step ?? 'collect';
}

function candidates(row: Case): readonly (Candidate | Refusal)[] {
  if (row.bundle !== undefined) return [parseBundle(read(row.bundle))];
  const manifest = JSON.parse(read(row.manifest ?? '').toString('utf8')) as {
    readonly layers: readonly {
      readonly mediaType: string;
      readonly digest: string;
      readonly annotations?: Readonly<Record<string, string>>;
    }[];
  };
  const blobs = new Map(
    (row.payloads ?? []).map((path) => [digestOf(read(path)) as string, read(path)]),
  );
  return manifest.layers.flatMap(
    ({ mediaType, digest, annotations = {} }): readonly (Candidate | Refusal)[] => {
      const bytes = blobs.get(digest);
      if (bytes === undefined) return [];
      return mediaType.includes('dsse')
        ? [parseEnvelope(bytes, annotations)]
        : [parseSimpleSigning(bytes, annotations)];
    },
  );
}

function read(path: string): Buffer {
  return readFileSync(join(FOLDER, path));
}
