import { toDescriptorJson } from '../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import type { Call } from '../../src/server/exchange.ts';
import { makeIndex } from '../support/images/images.ts';
import type { Fault, FaultAction } from '../support/registries/fake-registry.ts';

/** The purpose of a request. */
export type Target =
  | 'find'
  | 'read-manifest'
  | 'read-blob'
  | 'read-list'
  | 'read-referrers'
  | 'start-upload'
  | 'upload'
  | 'write-manifest';

/** How a command ends when one such fault strikes it. */
export type Ending =
  /** As if nothing had happened. */
  | 'well'
  /** With an error: it cannot get what it needs. */
  | 'error'
  /** It depends on the purpose of the request. */
  | 'either';

/** A way in which a registry misbehaves. */
export interface FaultKind {
  readonly name: string;
  readonly targets: readonly Target[];
  readonly action: FaultAction;
  readonly ending: Ending;
  /** Exit statuses of an error; `ERROR_STATUSES` when absent. */
  readonly statuses?: readonly number[];
  /** Detected only by a timeout, which takes time. */
  readonly isSlow?: boolean;
  /** Strikes every request for its target, because one alone is no fault. */
  readonly isStanding?: boolean;
  /** The fault is in the credential helper that is asked after this response. */
  readonly needsHelper?: boolean;
}

/** Login, network, tool and content: what a fault of the other side ends with. */
export const ERROR_STATUSES: readonly number[] = [4, 5, 6, 7];

/** The image that all commands move. */
export const FAULTY_IMAGE = makeIndex({ layers: [120_000] });

const READS: readonly Target[] = ['read-manifest', 'read-blob', 'read-list'];
const ALL: readonly Target[] = ['find', ...READS, 'start-upload', 'upload', 'write-manifest'];
const TENTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

/** Statuses of temporary failures; 522 comes from a CDN, 499 from a proxy whose client hung up. */
const PASSING_STATUSES = [408, 429, 499, 500, 502, 503, 504, 522] as const;

/** A REFUSED request, or a list that breaks off. */
const REFUSED_STATUSES: readonly number[] = [1, ...ERROR_STATUSES];

/** Both images of the index, as referrers of it, of each other and of themselves. */
const SAME_REFERRERS = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPE.ociIndex,
  manifests: FAULTY_IMAGE.images.map(({ root }) => toDescriptorJson(root)),
});

const GATEWAY_PAGE = '<html><body><h1>Bad Gateway</h1></body></html>';

/** Values of Retry-After; an invalid one is ignored. */
const RETRY_AFTER = {
  'in 2 s': { value: '2', ending: 'well' },
  'at a date': { value: 'Mon, 01 Jan 2024 00:00:30 GMT', ending: 'well' },
  'at a date that has passed': { value: 'Sun, 31 Dec 2000 23:59:59 GMT', ending: 'well' },
  'in a day': { value: '86400', ending: 'error' },
  'at an invalid time': { value: 'tomorrow', ending: 'well' },
  'in -5 s': { value: '-5', ending: 'well' },
} as const;

/** All kinds of faults; each is tried on every command that it can strike. */
export const FAULT_KINDS: readonly FaultKind[] = [
  { name: 'closed without a response', targets: ALL, action: { kind: 'hang-up' }, ending: 'well' },
  { name: 'closed in the head', targets: READS, action: { kind: 'cut-head' }, ending: 'well' },
  {
    name: 'outage of 2 connections',
    targets: ALL,
    action: { kind: 'outage', connections: 2 },
    ending: 'well',
  },
  {
    name: 'no response',
    targets: [...READS, 'find', 'start-upload'],
    action: { kind: 'stall' },
    ending: 'either',
    isSlow: true,
  },
  {
    name: 'stalls in the body',
    targets: READS,
    action: { kind: 'stall', afterBytes: { tenths: 5 } },
    ending: 'well',
    isSlow: true,
  },
  ...TENTHS.map((tenths): FaultKind => ({
    name: `cut after ${tenths}/10`,
    targets: READS,
    action: { kind: 'cut', afterBytes: { tenths } },
    ending: 'well',
  })),
  ...PASSING_STATUSES.map((status): FaultKind => ({
    name: `status ${status}`,
    targets: ALL,
    action: {
      kind: 'respond',
      status,
      headers: { 'content-type': 'text/html' },
      body: GATEWAY_PAGE,
    },
    ending: 'well',
  })),
  ...Object.entries(RETRY_AFTER).flatMap(([when, { value, ending }]) =>
    [429, 503].map((status): FaultKind => ({
      name: `status ${status}, again ${when}`,
      targets: ALL,
      action: { kind: 'respond', status, headers: { 'retry-after': value } },
      ending,
    })),
  ),
  {
    name: 'status 401 without a challenge',
    targets: ALL,
    action: { kind: 'respond', status: 401 },
    ending: 'either',
  },
  {
    name: 'web page with status 200',
    targets: READS,
    action: {
      kind: 'respond',
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: GATEWAY_PAGE,
    },
    ending: 'error',
  },
  {
    name: 'wrong byte',
    targets: ['read-manifest', 'read-blob'],
    action: { kind: 'corrupt', at: 20 },
    ending: 'error',
  },
  {
    name: 'length too long',
    targets: READS,
    action: { kind: 'wrong-length', by: 10 },
    ending: 'either',
  },
  {
    name: 'length too short',
    targets: READS,
    action: { kind: 'wrong-length', by: -10 },
    ending: 'either',
  },
  {
    name: 'another body',
    targets: READS,
    action: { kind: 'replace-body', body: '{"errors":[]}' },
    ending: 'error',
  },
  {
    name: 'wrong digest in the head',
    targets: ['read-manifest', 'write-manifest', 'upload'],
    action: { kind: 'headers', headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } },
    ending: 'error',
  },
  {
    name: 'clock hours ahead',
    targets: ALL,
    action: { kind: 'headers', headers: { date: 'Mon, 01 Jan 2024 09:00:00 GMT' } },
    ending: 'well',
  },
  {
    name: 'no Location',
    targets: ['start-upload'],
    action: { kind: 'headers', headers: { location: undefined } },
    ending: 'error',
  },
  ...TENTHS.map((tenths): FaultKind => ({
    name: `upload cut after ${tenths}/10, session kept`,
    targets: ['upload'],
    action: { kind: 'cut-request', afterBytes: { tenths }, session: 'kept' },
    ending: 'well',
  })),
  ...([0, 5, 10] as const).map((tenths): FaultKind => ({
    name: `upload cut after ${tenths}/10, session lost`,
    targets: ['upload'],
    action: { kind: 'cut-request', afterBytes: { tenths }, session: 'lost' },
    ending: 'well',
  })),
  {
    name: 'response lost',
    targets: ['start-upload', 'upload', 'write-manifest'],
    action: { kind: 'lose-response' },
    ending: 'well',
  },
  {
    name: 'session lost, 404',
    targets: ['upload'],
    action: { kind: 'respond', status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' },
    ending: 'well',
  },
  {
    name: 'session out of step, 416',
    targets: ['upload'],
    action: { kind: 'respond', status: 416, headers: { range: '0-9' } },
    ending: 'well',
  },
  {
    name: 'body too large, 416',
    targets: ['upload'],
    action: {
      kind: 'respond',
      status: 416,
      body: '{"errors":[{"code":"UNKNOWN","message":"the request body is too large"}]}',
    },
    // A small blob cannot be made smaller.
    ending: 'either',
    statuses: REFUSED_STATUSES,
  },
  {
    name: 'body too large, 413 before its end',
    targets: ['upload'],
    action: { kind: 'refuse-early', status: 413 },
    ending: 'either',
    statuses: REFUSED_STATUSES,
  },
  {
    name: 'list without its end',
    targets: ['read-list'],
    action: { kind: 'headers', headers: { link: '</v2/next; rel="next"' } },
    ending: 'error',
    statuses: [1],
  },
  {
    name: 'list cut in its text',
    targets: ['read-list'],
    action: { kind: 'replace-body', body: '{"name":"app","tags":["v1",' },
    ending: 'error',
  },
  {
    name: 'same referrers for all',
    targets: ['read-referrers'],
    action: {
      kind: 'respond',
      status: 200,
      headers: { 'content-type': MEDIA_TYPE.ociIndex },
      body: SAME_REFERRERS,
    },
    ending: 'well',
    isStanding: true,
  },
  {
    name: 'helper that hangs',
    targets: ['find', 'read-manifest', 'start-upload'],
    action: {
      kind: 'respond',
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="registry"' },
    },
    ending: 'error',
    isSlow: true,
    needsHelper: true,
  },
  {
    name: 'digest refused, 400',
    targets: ['upload'],
    action: { kind: 'respond', status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}' },
    ending: 'well',
  },
];

/** A fault of this kind on requests for `target` to one repository. */
export function faultOf(kind: FaultKind, target: Target, repository: string, times = 1): Fault {
  return {
    name: kind.name,
    times: kind.isStanding === true ? Number.POSITIVE_INFINITY : times,
    action: kind.action,
    match: (call) => belongsTo(call, repository) && targetOf(call) === target,
  };
}

/**
 * The purpose of a request; undefined for requests that no fault strikes: cancelling or querying an
 * upload session.
 */
export function targetOf({
  method,
  path,
  body,
}: Pick<Call, 'method' | 'path' | 'body'>): Target | undefined {
  if (path.includes('/blobs/uploads/')) {
    if (method === 'POST') return 'start-upload';
    return (method === 'PUT' || method === 'PATCH') && (body.length ?? 1) > 0
      ? 'upload'
      : undefined;
  }
  const isRead = method === 'GET';
  if (path.includes('/referrers/')) return isRead ? 'read-referrers' : undefined;
  if (path.includes('/tags/list') || path === '/v2/_catalog')
    return isRead ? 'read-list' : undefined;
  if (path.includes('/manifests/'))
    return isRead
      ? 'read-manifest'
      : method === 'HEAD'
        ? 'find'
        : method === 'PUT'
          ? 'write-manifest'
          : undefined;
  if (path.includes('/blobs/'))
    return isRead ? 'read-blob' : method === 'HEAD' ? 'find' : undefined;
  return undefined;
}

function belongsTo({ path }: Pick<Call, 'path'>, repository: string): boolean {
  return path === '/v2/_catalog' || path.startsWith(`/v2/${repository}/`);
}
