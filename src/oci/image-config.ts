import { defined, isJsonObject, tryParseJson, type JsonObject } from '../json.ts';
import type { Platform } from './descriptor.ts';

/** One step of the build of an image. */
export interface HistoryEntry {
  /** When the step ran. */
  readonly created: string | undefined;
  /** The command of the step. */
  readonly createdBy: string | undefined;
  /** The author of the step. */
  readonly author: string | undefined;
  /** A remark of the builder. */
  readonly comment: string | undefined;
  /** True if the step changed only the config and has no layer. */
  readonly empty: boolean;
}

/** The parts of an image's config that people ask for. Absent members are undefined or empty. */
export interface ImageConfig {
  /** The platform that the image runs on. */
  readonly platform: Platform | undefined;
  /** When the image was built. */
  readonly created: string | undefined;
  /** The author of the image. */
  readonly author: string | undefined;
  /** The user that runs it: `app`, `1000:1000`. */
  readonly user: string | undefined;
  /** The folder that it starts in. */
  readonly workingDir: string | undefined;
  /** The signal that ends it: `SIGTERM`. */
  readonly stopSignal: string | undefined;
  /** The program and its fixed arguments. */
  readonly entrypoint: readonly string[];
  /** Default arguments. */
  readonly cmd: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  /** Folders that are mounted from outside. */
  readonly volumes: readonly string[];
  /** Labels, by name. */
  readonly labels: Readonly<Record<string, string>>;
  /** The digests of the uncompressed layers, the lowest first. */
  readonly diffIds: readonly string[];
  /** The steps of the build, the oldest first. */
  readonly history: readonly HistoryEntry[];
}

/**
 * Reads an image config leniently: a field of another type counts as absent, because tools write all
 * kinds, and a reader wants to see the rest. Undefined when the bytes are no JSON object.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig | undefined {
  // Bytes that are not UTF-8 are replaced, as docker does: one odd label must not hide the rest.
  const json = tryParseJson(new TextDecoder().decode(bytes));
  if (!isJsonObject(json)) return undefined;
  const inner = objectOf(json['config']);
  return {
    platform: platformOf(json),
    created: textOf(json['created']),
    author: textOf(json['author']),
    user: textOf(inner['User']),
    workingDir: textOf(inner['WorkingDir']),
    stopSignal: textOf(inner['StopSignal']),
    entrypoint: textsOf(inner['Entrypoint']),
    cmd: textsOf(inner['Cmd']),
    env: textsOf(inner['Env']),
    exposedPorts: Object.keys(objectOf(inner['ExposedPorts'])),
    volumes: Object.keys(objectOf(inner['Volumes'])),
    labels: Object.fromEntries(
      Object.entries(objectOf(inner['Labels'])).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    ),
    diffIds: textsOf(objectOf(json['rootfs'])['diff_ids']),
    history: listOf(json['history']).map(toHistoryEntry),
  };
}

function platformOf(json: JsonObject): Platform | undefined {
  const [os, architecture] = [textOf(json['os']), textOf(json['architecture'])];
  if (os === undefined || architecture === undefined) return undefined;
  const [variant, osVersion] = [textOf(json['variant']), textOf(json['os.version'])];
  return defined({ os, architecture, variant, osVersion });
}

function toHistoryEntry(value: unknown): HistoryEntry {
  const json = objectOf(value);
  return {
    created: textOf(json['created']),
    createdBy: textOf(json['created_by']),
    author: textOf(json['author']),
    comment: textOf(json['comment']),
    empty: json['empty_layer'] === true,
  };
}

function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textsOf(value: unknown): readonly string[] {
  return listOf(value).filter((item) => typeof item === 'string');
}

/** Treats an empty text as absent. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
