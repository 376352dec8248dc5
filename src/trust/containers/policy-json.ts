import { createHash } from 'node:crypto';

import {
  parseStrictYaml,
  type StrictYaml,
  type YamlPath,
} from '../../configuration/strict-yaml.ts';
import { RegiError } from '../../errors.ts';
import { tryParseJson } from '../../json.ts';
import { referenceIn, type Reference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { parseTrustedRoot, type TrustedRoot } from '../keyless/trusted-root.ts';
import { parseSigningKey, type SigningKey } from '../signing-key.ts';
import { dearmored } from './armor.ts';
import { policyNames, type PolicyImage } from './image-names.ts';
import {
  CONTAINERS_POLICY_SCHEMA,
  type WrittenIdentity,
  type WrittenRequirement,
  type WrittenSignedBy,
  type WrittenSigstoreSigned,
} from './policy-schema.ts';
import type { Requirement } from './requirement.ts';
import type { SignedIdentity } from './signed-identity.ts';

/** A policy.json with its keys. */
export interface PolicyJson {
  /** The requirements for an image, all of which have to hold, and the scope that they are of. */
  readonly requirementsFor: (image: PolicyImage) => {
    readonly requirements: readonly Requirement[];
    readonly scope: string;
  };
}

export interface PolicyJsonOptions {
  /** The file's name in messages. */
  readonly name: string;
  /** Reads a key file; relative paths begin at the working folder. */
  readonly readKey: (path: string) => Promise<Uint8Array>;
}

const HINT = 'see containers-policy.json(5)';

/**
 * Parses a policy.json of podman and skopeo, and reads its keys. A key that cannot be used spoils
 * only the requirement that names it, as there.
 *
 * @throws {RegiError} INVALID_CONFIG with the line and column of the mistake: anything unknown,
 *   doubled or of another type spoils the file.
 */
export async function parsePolicyJson(
  text: string,
  options: PolicyJsonOptions,
): Promise<PolicyJson> {
  const { name } = options;
  // YAML takes every JSON text, and finds the lines of mistakes and of doubled names.
  const yaml = await parseStrictYaml(text, { name, schema: CONTAINERS_POLICY_SCHEMA, hint: HINT });
  if (tryParseJson(text) === undefined)
    throw new RegiError('INVALID_CONFIG', `Cannot use ${quote(name)}: expected JSON, found YAML`, {
      hint: HINT,
    });
  const { default: fallback, transports = {} } = yaml.value;
  const read = async (list: readonly WrittenRequirement[], path: YamlPath) =>
    Promise.all(list.map((one, at) => requirementOf(one, [...path, at], yaml, options)));
  const scopes = new Map<string, readonly Requirement[]>();
  for (const [transport, written] of Object.entries(transports)) {
    for (const [scope, list] of Object.entries(written)) {
      const path = ['transports', transport, scope];
      if (!isScope(transport, scope))
        throw yaml.mistake(path, `expected a scope of ${transport}, found ${quote(scope)}`, HINT);
      scopes.set(keyOf(transport, scope), await read(list, path));
    }
  }
  const defaults = await read(fallback, ['default']);
  return {
    requirementsFor: (image) => {
      const { transport } = image;
      for (const scope of [...policyNames(image), '']) {
        const requirements = scopes.get(keyOf(transport, scope));
        if (requirements !== undefined)
          return { requirements, scope: scope === '' ? `${transport}:` : scope };
      }
      return { requirements: defaults, scope: 'default' };
    },
  };
}

function keyOf(transport: string, scope: string): string {
  return `${transport} ${scope}`;
}

/** Scopes that could never match are mistakes where the transport says so. */
function isScope(transport: string, scope: string): boolean {
  if (scope === '') return true;
  if (transport === 'docker-archive') return false;
  if (!['dir', 'oci', 'oci-archive'].includes(transport)) return true;
  const words = scope.split('/').slice(1);
  return (
    scope.startsWith('/') &&
    scope !== '/' &&
    words.every((word) => word !== '' && word !== '.' && word !== '..')
  );
}

async function requirementOf(
  written: WrittenRequirement,
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
  options: PolicyJsonOptions,
): Promise<Requirement> {
  switch (written.type) {
    case 'insecureAcceptAnything':
    case 'reject':
      return { type: written.type };
    case 'signedBaseLayer':
      return { type: 'unsupported', reason: 'no tool verifies "signedBaseLayer"' };
    case 'signedBy':
      return signedBy(written, path, yaml, options);
    case 'sigstoreSigned':
      return sigstoreSigned(written, path, yaml, options);
  }
}

async function signedBy(
  written: WrittenSignedBy,
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
  { readKey }: PolicyJsonOptions,
): Promise<Requirement> {
  const { keyType, keyPath, keyPaths, keyData } = written;
  expectOne({ keyPath, keyPaths, keyData }, path, yaml);
  const identity = identityOf(written.signedIdentity);
  if (keyType !== 'GPGKeys')
    return { type: 'unsupported', reason: `no tool verifies the key type "${keyType}"` };
  return unlessBroken(async () => {
    const sources = await readSources({ path: keyPath, paths: keyPaths, data: keyData }, readKey);
    const keyrings = sources.map(({ bytes, name }) => dearmored(bytes, name));
    return { type: 'signedBy', keyrings, identity };
  });
}

async function sigstoreSigned(
  written: WrittenSigstoreSigned,
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
  { name, readKey }: PolicyJsonOptions,
): Promise<Requirement> {
  const { keyPath, keyPaths, keyData, keyDatas, fulcio, pki } = written;
  expectOne({ keyPath, keyPaths, keyData, keyDatas, fulcio, pki }, path, yaml);
  const rekor = {
    rekorPublicKeyPath: written.rekorPublicKeyPath,
    rekorPublicKeyPaths: written.rekorPublicKeyPaths,
    rekorPublicKeyData: written.rekorPublicKeyData,
    rekorPublicKeyDatas: written.rekorPublicKeyDatas,
  };
  const hasLog = Object.values(rekor).some((value) => value !== undefined);
  if (hasLog) expectOne(rekor, path, yaml);
  if (pki !== undefined) {
    if (hasLog) throw yaml.mistake(path, 'expected no Rekor key beside pki', HINT);
    expectOne({ caRootsPath: pki.caRootsPath, caRootsData: pki.caRootsData }, path, yaml);
    return { type: 'unsupported', reason: 'regi does not verify "pki" of policy.json' };
  }
  if (fulcio !== undefined) {
    if (!hasLog) throw yaml.mistake(path, 'expected a Rekor key beside fulcio', HINT);
    expectOne({ caPath: fulcio.caPath, caData: fulcio.caData }, path, yaml);
    return {
      type: 'unsupported',
      reason: 'regi does not verify "fulcio" of policy.json; use --identity with --issuer',
    };
  }
  const identity = identityOf(written.signedIdentity);
  return unlessBroken(async () => {
    const sources = await readSources(
      { path: keyPath, paths: keyPaths, data: keyData, datas: keyDatas },
      readKey,
    );
    const logs = await readSources(
      {
        path: rekor.rekorPublicKeyPath,
        paths: rekor.rekorPublicKeyPaths,
        data: rekor.rekorPublicKeyData,
        datas: rekor.rekorPublicKeyDatas,
      },
      readKey,
    );
    return {
      type: 'sigstoreSigned',
      // podman and skopeo use SHA-256 whatever the key is.
      keys: sources.map((source) => ({ ...signingKeyIn(source), hash: 'sha256' as const })),
      log: logs.length === 0 ? undefined : await logOf(logs, name),
      identity,
    };
  });
}

async function unlessBroken(read: () => Promise<Requirement>): Promise<Requirement> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RegiError) return { type: 'broken', error };
    throw error;
  }
}

function expectOne(
  ways: Readonly<Record<string, unknown>>,
  path: YamlPath,
  yaml: Pick<StrictYaml<unknown>, 'mistake'>,
): void {
  const given = Object.values(ways).filter((value) => value !== undefined).length;
  if (given === 1) return;
  throw yaml.mistake(path, `expected one of ${Object.keys(ways).join(', ')}, found ${given}`, HINT);
}

interface KeySource {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface WrittenKeys {
  readonly path?: string | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly data?: string | undefined;
  readonly datas?: readonly string[] | undefined;
}

async function readSources(
  { path, paths = [], data, datas = [] }: WrittenKeys,
  readKey: PolicyJsonOptions['readKey'],
): Promise<readonly KeySource[]> {
  const files = path === undefined ? paths : [path];
  const texts = data === undefined ? datas : [data];
  const read = files.map(async (name) => ({ name, bytes: await readKey(name) }));
  const decoded = texts.map((text, at) => ({
    name: `the data of key ${at + 1}`,
    bytes: Buffer.from(text, 'base64'),
  }));
  return [...(await Promise.all(read)), ...decoded];
}

function signingKeyIn({ bytes, name }: KeySource): SigningKey {
  return parseSigningKey(Buffer.from(bytes).toString('utf8'), name);
}

/** Makes a trusted root of the keys of logs: they have no start and no end in policy.json. */
async function logOf(sources: readonly KeySource[], policy: string): Promise<TrustedRoot> {
  const logs = sources.map((source) => {
    const { key } = signingKeyIn(source);
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      throw new RegiError(
        'INVALID_CONFIG',
        `Cannot use the key ${quote(source.name)}: expected the P-256 key of a Rekor log`,
      );
    const der = key.export({ format: 'der', type: 'spki' });
    return {
      baseUrl: source.name,
      hashAlgorithm: 'SHA2_256',
      publicKey: {
        rawBytes: der.toString('base64'),
        keyDetails: 'PKIX_ECDSA_P256_SHA_256',
        validFor: { start: '1970-01-01T00:00:00Z' },
      },
      logId: { keyId: createHash('sha256').update(der).digest('base64') },
    };
  });
  const root = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: logs,
    certificateAuthorities: [],
    ctlogs: [],
  };
  return parseTrustedRoot(Buffer.from(JSON.stringify(root)), `the Rekor keys of ${policy}`);
}

function identityOf(written: WrittenIdentity | undefined): SignedIdentity {
  if (written === undefined) return { type: 'matchRepoDigestOrExact' };
  switch (written.type) {
    case 'exactReference':
      return { type: written.type, name: nameIn(written.dockerReference) };
    case 'exactRepository':
      return { type: written.type, name: nameIn(written.dockerRepository) };
    default:
      return written;
  }
}

/** The schema has parsed it already. */
function nameIn(text: string): Reference {
  const found = referenceIn(text);
  if (found === undefined) throw new Error('The schema accepted a name that is none');
  return found;
}
