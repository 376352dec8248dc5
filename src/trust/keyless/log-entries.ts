import * as z from 'zod/mini';

import { strictBase64, strictJson } from '../strict-text.ts';
import { refusal, type Refusal } from '../verdict.ts';
import { newestKey, type TrustedKey, type TrustedRoot } from './trusted-root.ts';

/** A count as protobuf writes it: no sign and no zero before it. */
const Count = z.string().check(z.regex(/^(?:0|[1-9]\d{0,18})$/));
/** A note and its signatures, and nothing behind them. */
const Checkpoint = z.string().check(z.regex(/^[^\n]+\n[\s\S]*\n\n(?:\u2014 \S+ \S+\n)+$/));

const Entry = z.object({
  logIndex: z.optional(Count),
  logId: z.object({ keyId: z.string() }),
  kindVersion: z.object({ kind: z.string(), version: z.string() }),
  integratedTime: z.optional(Count),
  inclusionPromise: z.optional(z.object({ signedEntryTimestamp: z.string() })),
  inclusionProof: z.optional(
    z.object({
      logIndex: z.optional(Count),
      rootHash: z.string(),
      treeSize: Count,
      hashes: z.optional(z.array(z.string())),
      checkpoint: z.object({ envelope: Checkpoint }),
    }),
  ),
  canonicalizedBody: z.string(),
});

export type LogEntry = z.infer<typeof Entry>;

const Material = z.object({
  tlogEntries: z.array(Entry).check(z.minLength(1), z.maxLength(8)),
  timestampVerificationData: z.optional(
    z.object({
      rfc3161Timestamps: z.optional(
        z.array(z.object({ signedTimestamp: z.string() })).check(z.maxLength(8)),
      ),
    }),
  ),
});

/**
 * Log entries whose own statements agree with each other and with the signer. The library verifies
 * the rest.
 */
export interface CheckedEntries {
  /** The entries for the library, each without a time that its log has not signed. */
  readonly entries: readonly unknown[];
  /** The logs of the entries, in their order. */
  readonly logs: readonly TrustedKey[];
  /** Logs whose keys have to be valid at a verified time, because their proofs state none. */
  readonly timeless: readonly TrustedKey[];
}

/**
 * Checks of log entries what the library does not: that the body names the signer's key or
 * certificate (CVE-2022-36056), that the proof is that of its checkpoint, strict base64, and that a
 * time counts only where the log has signed it.
 *
 * @param material `verificationMaterial` of a bundle.
 * @param signer DER of the certificate, or of the public key.
 */
export function checkLogEntries(
  material: unknown,
  signer: Uint8Array,
  root: TrustedRoot,
): CheckedEntries | Refusal {
  const parsed = z.safeParse(Material, material);
  if (!parsed.success) return refusal('log', 'it has no log entry that can be read');
  const { tlogEntries, timestampVerificationData } = parsed.data;
  const raw = (material as { readonly tlogEntries: readonly object[] }).tlogEntries;
  const stamps = timestampVerificationData?.rfc3161Timestamps ?? [];
  if (stamps.some(({ signedTimestamp }) => strictBase64(signedTimestamp) === undefined))
    return refusal('log', 'its timestamp is not strict base64');
  const logs: TrustedKey[] = [];
  const timeless: TrustedKey[] = [];
  const entries: unknown[] = [];
  for (const [at, entry] of tlogEntries.entries()) {
    const problem = problemOf(entry, signer);
    if (problem !== undefined) return refusal('log', problem);
    const log = root.logs.find(({ id }) => id === entry.logId.keyId);
    if (log === undefined)
      return refusal(
        'log',
        `${root.name} does not know its log ${JSON.stringify(entry.logId.keyId)}; the newest key there is of ${newestKey(root)}`,
      );
    logs.push(log);
    if (entry.inclusionPromise === undefined) timeless.push(log);
    // Only the promise covers the time. Without it anybody could have written another one.
    entries.push(
      entry.inclusionPromise === undefined ? { ...raw[at], integratedTime: '0' } : raw[at],
    );
  }
  return { entries, logs, timeless };
}

/** Finds a verified time at which a key was not valid. */
export function isValidAt({ start, end }: TrustedKey, time: Date): boolean {
  return start <= time && (end === undefined || time <= end);
}

function problemOf(entry: LogEntry, signer: Uint8Array): string | undefined {
  const { inclusionProof, inclusionPromise, canonicalizedBody, logId } = entry;
  const texts = [
    canonicalizedBody,
    logId.keyId,
    ...(inclusionPromise === undefined ? [] : [inclusionPromise.signedEntryTimestamp]),
    ...(inclusionProof === undefined
      ? []
      : [inclusionProof.rootHash, ...(inclusionProof.hashes ?? [])]),
  ];
  if (texts.some((text) => strictBase64(text) === undefined))
    return 'its log entry is not strict base64';
  const body = strictJson(Buffer.from(canonicalizedBody, 'base64'));
  if (body === undefined) return 'the body of its log entry is not JSON with each name once';
  const named = signerIn(body.value, entry.kindVersion);
  if (named === undefined) return 'its log entry names no signer, or is of an unknown kind';
  if (!Buffer.from(signer).equals(named)) return 'its log entry names another signer';
  if (inclusionProof === undefined) return undefined;
  const [, size, hash] = inclusionProof.checkpoint.envelope.split('\n');
  return size === inclusionProof.treeSize && hash === inclusionProof.rootHash
    ? undefined
    : 'the proof of its log entry is not that of its checkpoint';
}

const Pem = z.string();
const HashedRekord1 = z.object({
  spec: z.object({ signature: z.object({ publicKey: z.object({ content: Pem }) }) }),
});
const Dsse1 = z.object({
  spec: z.object({ signatures: z.array(z.object({ verifier: Pem })).check(z.length(1)) }),
});
const Intoto2 = z.object({
  spec: z.object({
    content: z.object({
      envelope: z.object({ signatures: z.array(z.object({ publicKey: Pem })).check(z.length(1)) }),
    }),
  }),
});
const Verifier2 = z.object({
  x509Certificate: z.optional(z.object({ rawBytes: z.string() })),
  publicKey: z.optional(z.object({ rawBytes: z.string() })),
});
const HashedRekord2 = z.object({
  spec: z.object({
    hashedRekordV002: z.object({ signature: z.object({ verifier: Verifier2 }) }),
  }),
});
const Dsse2 = z.object({
  spec: z.object({
    dsseV002: z.object({
      signatures: z.array(z.object({ verifier: Verifier2 })).check(z.length(1)),
    }),
  }),
});

/** Returns the DER of the certificate or key that the body names; undefined for an unknown kind. */
function signerIn(body: unknown, { kind, version }: LogEntry['kindVersion']): Buffer | undefined {
  switch (`${kind} ${version}`) {
    case 'hashedrekord 0.0.1': {
      const parsed = z.safeParse(HashedRekord1, body);
      return parsed.success ? derOf(parsed.data.spec.signature.publicKey.content) : undefined;
    }
    case 'dsse 0.0.1': {
      const parsed = z.safeParse(Dsse1, body);
      return parsed.success ? derOf(parsed.data.spec.signatures[0]?.verifier) : undefined;
    }
    case 'intoto 0.0.2': {
      const parsed = z.safeParse(Intoto2, body);
      const [signature] = parsed.success ? parsed.data.spec.content.envelope.signatures : [];
      return derOf(signature?.publicKey);
    }
    case 'hashedrekord 0.0.2': {
      const parsed = z.safeParse(HashedRekord2, body);
      return parsed.success
        ? rawOf(parsed.data.spec.hashedRekordV002.signature.verifier)
        : undefined;
    }
    case 'dsse 0.0.2': {
      const parsed = z.safeParse(Dsse2, body);
      return parsed.success ? rawOf(parsed.data.spec.dsseV002.signatures[0]?.verifier) : undefined;
    }
    default:
      return undefined;
  }
}

function rawOf(verifier: z.infer<typeof Verifier2> | undefined): Buffer | undefined {
  const { x509Certificate, publicKey } = verifier ?? {};
  const [only, ...others] = [x509Certificate, publicKey].filter((one) => one !== undefined);
  return only === undefined || others.length > 0 ? undefined : strictBase64(only.rawBytes);
}

/** Decodes base64 of a PEM text with one certificate or key. */
function derOf(text: string | undefined): Buffer | undefined {
  const pem = text === undefined ? undefined : strictBase64(text)?.toString('latin1');
  return pem === undefined ? undefined : pemContent(pem);
}

const ONE_BLOCK =
  /^-----BEGIN (?<label>CERTIFICATE|PUBLIC KEY)-----\r?\n(?<content>[A-Za-z0-9+/=\r\n]+)-----END \k<label>-----\s*$/;

/** Returns the DER in the one block of a PEM text. */
export function pemContent(pem: string): Buffer | undefined {
  const content = ONE_BLOCK.exec(pem)?.groups?.['content'];
  return content === undefined ? undefined : strictBase64(content.replaceAll(/\s/g, ''));
}
