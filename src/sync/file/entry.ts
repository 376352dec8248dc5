import type { Platform } from '../../oci/descriptor.ts';
import type { Reference, Repository } from '../../oci/reference.ts';
import type { TrustedRoot } from '../../trust/keyless/trusted-root.ts';
import type { TrustRule } from '../../trust/policy.ts';
import type { Wildcard } from './names.ts';
import type { DestinationPlace, SourcePlace } from './places.ts';
import type { RegistrySettings } from './schema.ts';
import type { TagSelection } from '../plan/select.ts';

export type SyncSource =
  | SourcePlace
  | { readonly kind: 'image'; readonly reference: Reference }
  | { readonly kind: 'repository'; readonly repository: Repository }
  | { readonly kind: 'wildcard'; readonly wildcard: Wildcard };

/** A destination before its `{…}` are filled. */
export type SyncDestination =
  | DestinationPlace
  | { readonly kind: 'registry'; readonly template: string };

export interface PruneRule {
  readonly gone: boolean;
  readonly old: boolean;
  readonly keep: readonly string[];
  readonly viaDummy: boolean;
}

/** One entry of `images`, with the defaults filled in. */
export interface SyncEntry {
  readonly name: string;
  readonly from: SyncSource;
  readonly to: readonly SyncDestination[];
  readonly selection: TagSelection;
  readonly immutable: readonly string[];
  readonly moved: 'fail' | 'follow' | 'keep';
  readonly prune: PruneRule | undefined;
  readonly repositories: readonly string[];
  readonly minRepositories: number;
  readonly rename: { readonly match: RegExp; readonly to: string } | undefined;
  readonly platforms: readonly Platform[];
  readonly requirePlatforms: boolean;
  readonly sparse: boolean;
  readonly referrers: 'always' | 'new' | false;
  readonly verify: string | undefined;
  /** An earlier archive or its list; its layers are left out of the archives of `to`. */
  readonly since: string | undefined;
  /** The file that lists the layers which the reader then has. */
  readonly writeList: string | undefined;
}

export interface SyncFile {
  readonly entries: readonly SyncEntry[];
  /** By host or `host/namespace`; the longest wins. */
  readonly registries: ReadonlyMap<string, RegistrySettings>;
  /**
   * Parses the rules of `policies`, and reads their keys.
   *
   * @throws {RegiError} INVALID_CONFIG at the line of a mistake.
   */
  readonly readPolicies: (
    readKey: (file: string) => Promise<string>,
    root: TrustedRoot | undefined,
  ) => Promise<ReadonlyMap<string, TrustRule>>;
  readonly onChange: readonly string[] | undefined;
}
