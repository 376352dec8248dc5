import { parseStrictYaml, type StrictYaml, type YamlPath } from '../configuration/strict-yaml.ts';
import { RegiError } from '../errors.ts';
import { parseRepository, type Reference, type Repository } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import type { FileTransport } from './containers/image-names.ts';
import type { ContainersRule } from './containers/requirement.ts';
import type { ContentRule } from './content.ts';
import { publicGoodRoot, type TrustedRoot } from './keyless/trusted-root.ts';
import { POLICY_SCHEMA, type WrittenRule } from './rule-schema.ts';
import { findScope, parseScope, type Scope } from './scope.ts';
import { isSameKey, parseSigningKey, type SigningKey } from './signing-key.ts';

/**
 * Who has to have signed an image. Made by `parseRule()`, or of a policy.json, so its keys can be
 * verified with.
 */
export type TrustRule = AcceptRule | ContainersRule | KeyRule | KeylessRule;

interface SignedRule extends ContentRule {
  /**
   * Whether a smaller index or one platform of a signed index may go where the far side cannot
   * verify it.
   */
  readonly narrowed: 'allow' | 'refuse';
  /** Another repository that keeps the signatures. */
  readonly signaturesFrom: Repository | undefined;
}

export interface KeyRule extends SignedRule {
  readonly kind: 'key';
  /** Different keys; each may be the one that signed. */
  readonly keys: readonly SigningKey[];
  /** How many different keys have to have signed. */
  readonly threshold: number;
  /** `required`: an entry of the transparency log must prove the signature too. */
  readonly log: 'none' | 'required';
  /** Whose logs count; undefined where none is required. */
  readonly root?: TrustedRoot | undefined;
}

export interface KeylessRule extends SignedRule {
  readonly kind: 'keyless';
  /** Compared as it stands. */
  readonly issuer: string;
  /** The certificate's subject: a text, or a glob in which `*` stands for any characters. */
  readonly identity: string;
  /** Expected values of GitHub's extensions of the certificate. */
  readonly github: Readonly<Record<string, string>>;
  /** The authorities and logs that count. */
  readonly root: TrustedRoot;
}

/** Spelled `insecureAccept: true`: the images of the scope are taken unsigned. */
export interface AcceptRule {
  readonly kind: 'accept';
}

/** An archive or folder that an image is read from. Only a policy.json has rules for them. */
export interface FilePlace {
  /** The transports of podman and skopeo, whose rules all have to hold. */
  readonly transports: readonly FileTransport[];
  /** As typed. */
  readonly path: string;
}

/** Rules by scope. The name that decides is the operator's, never one that a file brings along. */
export interface TrustPolicy {
  /** The rule for a repository, or undefined: then the image is refused. */
  readonly ruleFor: (
    image: Reference,
    file?: FilePlace,
  ) => { readonly rule: TrustRule; readonly scope: string } | undefined;
}

export interface PolicyOptions {
  /** The file's name in messages. */
  readonly name: string;
  /** Reads a key file, relative to the policy file. */
  readonly readKey: (path: string) => Promise<string>;
  /** The root of `--trusted-root`; that of the public instance of sigstore when absent. */
  readonly root?: TrustedRoot | undefined;
}

const HINT = 'see docs/trust.md for each field';

/**
 * Parses the file of `--verify`, and reads its keys.
 *
 * @throws {RegiError} INVALID_CONFIG with the line and column of the mistake: an unknown or doubled
 *   key, a scope twice, a key that cannot be verified with.
 */
export async function parsePolicy(text: string, options: PolicyOptions): Promise<TrustPolicy> {
  const yaml = await parseStrictYaml(text, {
    name: options.name,
    schema: POLICY_SCHEMA,
    ownKeys: 'x-',
    hint: HINT,
  });
  const rules = new Map<Scope, TrustRule>();
  for (const [written, rule] of Object.entries(yaml.value.scopes)) {
    const path = ['scopes', written];
    const scope = parseScope(written);
    if (scope === undefined) {
      throw yaml.mistake(
        path,
        `expected a scope, found ${quote(written)}`,
        'write HOST, *.HOST, HOST/PATH or a repository, without tag and without other stars',
      );
    }
    if (rules.has(scope)) {
      throw yaml.mistake(path, `expected each scope once, found ${quote(scope)} in two spellings`);
    }
    rules.set(scope, await parseRule(rule, path, yaml, options));
  }
  return {
    ruleFor: (repository) => {
      const found = findScope(rules, repository);
      return found === undefined ? undefined : { rule: found.value, scope: found.scope };
    },
  };
}

/** A policy of one rule for every repository: `--key`, or `--identity` with `--issuer`. */
export function policyForAll(rule: KeyRule | KeylessRule): TrustPolicy {
  return { ruleFor: () => ({ rule, scope: 'all' }) };
}

/**
 * Parses one rule and reads its keys. @throws {RegiError} INVALID_CONFIG at the line of the
 * mistake.
 */
export async function parseRule(
  written: WrittenRule,
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
  { readKey, root }: Pick<PolicyOptions, 'readKey' | 'root'>,
): Promise<TrustRule> {
  const { key, keys, keyless, insecureAccept } = written;
  const ways = [key, keys, keyless, insecureAccept].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    throw yaml.mistake(
      path,
      `expected one of key, keys, keyless and insecureAccept, found ${ways.length}`,
    );
  }
  if (insecureAccept === true) {
    const other = Object.keys(written).find((name) => name !== 'insecureAccept');
    if (other === undefined) return { kind: 'accept' };
    throw yaml.mistake([...path, other], `expected nothing beside insecureAccept, found ${other}`);
  }
  const common = {
    predicateTypes: written.predicateTypes ?? [],
    annotations: written.annotations ?? {},
    narrowed: written.narrowed ?? ('refuse' as const),
    signaturesFrom: signaturesFrom(written, path, yaml),
  };
  if (keyless !== undefined) {
    const { issuer, identity, github = {} } = keyless;
    for (const [field, value] of Object.entries({ issuer, identity })) {
      if (isSomebody(value)) continue;
      throw yaml.mistake([...path, 'keyless', field], `expected who signs, found ${quote(value)}`);
    }
    for (const field of ['log', 'threshold'] as const) {
      if (written[field] === undefined || written[field] === 'required') continue;
      throw yaml.mistake(
        [...path, field],
        `expected no ${field} beside keyless: its log is required`,
      );
    }
    return {
      kind: 'keyless',
      issuer,
      identity,
      github: definedOf(github),
      root: root ?? (await publicGoodRoot()),
      ...common,
    };
  }
  const parsed = await readKeys(key === undefined ? (keys ?? []) : [key], path, yaml, readKey);
  const threshold = written.threshold ?? 1;
  if (threshold > parsed.length) {
    throw yaml.mistake(
      [...path, 'threshold'],
      `expected at most ${parsed.length}, the number of keys, found ${threshold}`,
    );
  }
  const log = written.log ?? 'none';
  const logs = log === 'none' ? undefined : (root ?? (await publicGoodRoot()));
  return { kind: 'key', keys: parsed, threshold, log, root: logs, ...common };
}

/** False for a text or glob that would accept anybody. */
export function isSomebody(text: string): boolean {
  return /[^*\s]/.test(text);
}

async function readKeys(
  files: readonly string[],
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
  readKey: PolicyOptions['readKey'],
): Promise<readonly SigningKey[]> {
  const parsed: SigningKey[] = [];
  for (const [at, file] of files.entries()) {
    const place = files.length === 1 ? path : [...path, 'keys', at];
    const key = await attempt(place, yaml, async () => parseSigningKey(await readKey(file), file));
    const same = parsed.find((other) => isSameKey(other, key));
    if (same !== undefined) {
      throw yaml.mistake(place, `expected each key once, found ${quote(same.name)} again`);
    }
    parsed.push(key);
  }
  return parsed;
}

function signaturesFrom(
  written: WrittenRule,
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
): Repository | undefined {
  const text = written.signaturesFrom;
  if (text === undefined) return undefined;
  try {
    return parseRepository(text);
  } catch (error) {
    if (error instanceof RegiError) {
      throw yaml.mistake([...path, 'signaturesFrom'], error.message, error.hint);
    }
    throw error;
  }
}

async function attempt<T>(
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof RegiError) throw yaml.mistake(path, error.message, error.hint);
    throw error;
  }
}

function definedOf(
  values: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
