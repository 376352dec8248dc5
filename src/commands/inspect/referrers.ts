import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { assertNever } from '../../errors.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { leftOutError, LeftOutReferrers } from '../../operations/referrers/left-out.ts';
import {
  referrerTree,
  type ReferrerNode,
  type SubjectNode,
} from '../../operations/referrers/tree.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { canListReferrers } from '../../store.ts';
import { gateOfCopy } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';
import { markKey, markText, signatureMarks, type SignatureMark } from '../trust/marks.ts';
import { platformOption, positional, value } from '../arguments/arguments.ts';
import { lanesOf } from '../../targets/host-lanes.ts';
import { withStores } from '../../targets/open-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import { pageStyle } from '../../render/page-style.ts';
import { treeLine, type Branch, type TreeRow } from '../../render/tree.ts';
import { linesText, styled, type Styled } from '../../styled.ts';
import { matchesWildcard } from '../../wildcard.ts';

/** A line of the tree. `--json` prints these names, so they are API. */
type ReferrerRow =
  | {
      readonly kind: 'image';
      readonly name: string;
      readonly digest: string;
      readonly mediaType: string;
    }
  /** A manifest of the image's index that has referrers. */
  | {
      readonly kind: 'platform';
      readonly platform: string | undefined;
      readonly digest: string;
      readonly branch: Branch;
    }
  | {
      readonly kind: 'referrer';
      readonly artifactType: string | undefined;
      readonly digest: string;
      readonly mediaType: string;
      /** Bytes of the manifest. */
      readonly size: number;
      /** The digest of its subject. */
      readonly subject: string;
      readonly found: ReferrerNode['found'];
      readonly tag: string | undefined;
      readonly annotations: Readonly<Record<string, string>>;
      /** Set for signatures and attestations, with the result where a policy was given. */
      readonly signature: SignatureMark | undefined;
      readonly branch: Branch;
    };

/** `regi referrers`: shows signatures, SBOMs and attestations of an image as a tree. */
export const referrersCommand: CommandBody<ReferrerRow> = {
  run: runReferrers,
  text: rowText,
  json: (row) => {
    if (row.kind === 'image') return row;
    const { branch: _, ...shown } = row;
    return shown;
  },
};

async function* runReferrers(args: ParsedArguments, context: Context): AsyncIterable<ReferrerRow> {
  const typed = positional(args, 0, 'an image');
  const location = await parseSourceLocation(typed, context.io);
  const platform = platformOption(args, context);
  const type = value(args, 'type');
  const { signal } = context;
  const policy = await readPolicy(args, context);
  yield* withStores(context, {}, async function* (stores) {
    const { store, reference, isRemote } = await stores.open(location, 'source');
    const resolved = await resolveImage(store, reference, platform, { signal });
    const root = await readManifest(store, resolved, { signal });
    if (!canListReferrers(store))
      context.note(
        `"${typed}" is in a place that keeps no referrers; only its tags and index are searched`,
      );
    const leftOut = new LeftOutReferrers();
    const subjects = await referrerTree(store, root, {
      signal,
      leftOut,
      lanes: lanesOf(context),
      accepts: type === undefined ? undefined : (text: string) => matchesWildcard(text, type),
    });
    if (leftOut.first !== undefined && subjects.every(({ referrers }) => referrers.length === 0))
      throw leftOut.first;
    yield {
      kind: 'image',
      name: typed,
      digest: root.descriptor.digest,
      mediaType: root.manifest.mediaType,
    };
    const gate =
      policy && (await gateOfCopy(policy, { source: location, text: typed, isRemote }, stores));
    const marks = await signatureMarks(subjects, gate, store, { signal });
    const rows = treeRows(subjects).map((row) =>
      row.kind === 'referrer' ? { ...row, signature: marks.get(markKey(row)) } : row,
    );
    yield* rows;
    if (leftOut.report(typed, context.onEvent) > 0) throw leftOutError(1);
    if (rows.length === 0)
      context.note(
        type === undefined ? 'Nothing refers to it' : `Nothing of type "${type}" refers to it`,
      );
  });
}

function treeRows([image, ...platforms]: readonly SubjectNode[]): readonly ReferrerRow[] {
  if (image === undefined) return [];
  const shown = platforms.filter(({ referrers }) => referrers.length > 0);
  return [
    ...referrerRows(image.referrers, image.descriptor.digest, [], shown.length > 0),
    ...shown.flatMap(({ descriptor, platform, referrers }, index): readonly ReferrerRow[] => {
      const branch = [index < shown.length - 1];
      return [
        { kind: 'platform', platform, digest: descriptor.digest, branch },
        ...referrerRows(referrers, descriptor.digest, branch, false),
      ];
    }),
  ];
}

function referrerRows(
  nodes: readonly ReferrerNode[],
  subject: string,
  above: Branch,
  isMore: boolean,
): readonly ReferrerRow[] {
  return nodes.flatMap(
    ({ descriptor, artifactType, found, tag, referrers }, index): readonly ReferrerRow[] => {
      const { digest, mediaType, size, annotations = {} } = descriptor;
      const branch = [...above, isMore || index < nodes.length - 1];
      const row: ReferrerRow = {
        kind: 'referrer',
        artifactType,
        digest,
        mediaType,
        size,
        subject,
        found,
        tag,
        annotations,
        signature: undefined,
        branch,
      };
      return [row, ...referrerRows(referrers, digest, branch, false)];
    },
  );
}

function rowText(row: ReferrerRow, context: Context): Styled {
  return linesText([treeLine({ branch: [], ...row, ...namesOf(row) }, pageStyle(context))]);
}

function namesOf(row: ReferrerRow): Pick<TreeRow, 'name' | 'note'> {
  switch (row.kind) {
    case 'image':
      return { name: styled('name', row.name) };
    case 'platform':
      return { name: styled('heading', row.platform ?? '') };
    case 'referrer':
      return {
        name: nameOf(row),
        note: [noteOf(row), markText(row.signature)].filter((text) => text !== '').join('  '),
      };
    default:
      return assertNever(row);
  }
}

type ShownReferrer = Extract<ReferrerRow, { readonly kind: 'referrer' }>;

/** Names by the end of a cosign tag, whose manifests have the media types of an image. */
const COSIGN_KINDS: ReadonlyMap<string, string> = new Map([
  ['sig', 'signature'],
  ['att', 'attestation'],
  ['sbom', 'SBOM'],
]);

function nameOf({ artifactType, mediaType, tag = '' }: ShownReferrer): string {
  return COSIGN_KINDS.get(tag.slice(tag.lastIndexOf('.') + 1)) ?? artifactType ?? mediaType;
}

function noteOf({ found, annotations }: ShownReferrer): string {
  switch (found) {
    case 'subject':
      return annotations['org.opencontainers.image.created'] ?? '';
    case 'tag':
      return '(a tag of cosign)';
    case 'index':
      return '(in the index)';
    default:
      return assertNever(found);
  }
}
