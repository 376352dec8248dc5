import { expect } from 'vitest';

import { toDescriptorJson, type Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import type { Place } from '../../../src/store.ts';
import { openLayoutPlace } from '../../../src/stores/layout/place.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { nodeOf, type TestNode } from '../images/images.ts';
import { sendRaw, type RawResponse, type RawRequest } from '../http/raw-request.ts';
import { realClock } from '../clock.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** Every kind of place that regi serves. */
export const PLACES: readonly (readonly [
  string,
  () => Promise<Place & { readonly close?: () => Promise<void> }>,
])[] = [
  ['memory', async () => createMemoryPlace()],
  [
    'a layout',
    () => openLayoutPlace(temporaryFolder('conformance'), { create: true, clock: realClock }),
  ],
  [
    'the local store',
    () =>
      openLayoutPlace(temporaryFolder('conformance'), {
        create: true,
        clock: realClock,
        isShared: true,
      }),
  ],
];

export const NAME = '/v2/myorg/myrepo';
export const CROSS = '/v2/myorg/other';
export const OCTETS = { 'content-type': 'application/octet-stream' };

export const EMPTY = nodeOf(MEDIA_TYPE.ociEmpty, Buffer.from('{}'));
export const ABSENT = digestOf(Buffer.from('hello world'));

export const config = (text: string): TestNode =>
  nodeOf(
    MEDIA_TYPE.ociConfig,
    Buffer.from(
      JSON.stringify({
        author: text,
        architecture: 'amd64',
        os: 'linux',
        rootfs: { type: 'layers', diff_ids: [] },
      }),
    ),
  );
export const layer = nodeOf(
  'application/vnd.oci.image.layer.v1.tar+gzip',
  Buffer.from('H4sIAAAAAAAAA', 'base64'),
);

export interface ManifestOptions {
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly layers?: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export function manifest(
  of: Descriptor,
  { subject, layers = [layer.descriptor], ...rest }: ManifestOptions = {},
): TestNode {
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: toDescriptorJson(of),
    layers: layers.map(toDescriptorJson),
    ...rest,
  };
  return nodeOf(
    MEDIA_TYPE.ociManifest,
    Buffer.from(
      JSON.stringify({ ...json, ...(subject && { subject: toDescriptorJson(subject) }) }),
    ),
  );
}

export const configs = [0, 1, 2, 3, 4].map((number) => config(`author ${number}`));
export const manifests = configs.map(({ descriptor }) => manifest(descriptor));
export const [firstConfig = EMPTY, ...otherConfigs] = configs;
export const [firstManifest = EMPTY, , , , subject = EMPTY] = manifests;

export interface ConformanceClient {
  readonly send: (
    method: string,
    path: string,
    rest?: Omit<RawRequest, 'method' | 'path'>,
  ) => Promise<RawResponse>;
  readonly start: (query?: string, name?: string) => Promise<string>;
  readonly relative: (location: string | undefined) => string;
  readonly pushBlob: (node: TestNode) => Promise<number>;
  readonly putManifest: (reference: string, node: TestNode) => Promise<RawResponse>;
  readonly withDigest: (location: string, digest: string) => string;
}

/** The repeated steps of the suite, at the registry that listens at `base()`. */
export function conformanceClient(base: () => string): ConformanceClient {
  function send(
    method: string,
    path: string,
    rest: Omit<RawRequest, 'method' | 'path'> = {},
  ): Promise<RawResponse> {
    return sendRaw(base(), { method, path, ...rest });
  }

  async function start(query = '', name = NAME): Promise<string> {
    const { status, headers } = await send('POST', `${name}/blobs/uploads/${query}`, {
      headers: { 'content-length': 0 },
    });
    expect(status).toBe(202);
    return relative(headers.location);
  }

  /** Locations may be absolute. */
  function relative(location: string | undefined): string {
    const { pathname, search } = new URL(location ?? '', base());
    return pathname + search;
  }

  async function pushBlob({ descriptor, bytes }: TestNode): Promise<number> {
    const path = withDigest(await start(), descriptor.digest);
    return (
      await send('PUT', path, {
        headers: { ...OCTETS, 'content-length': bytes.byteLength },
        body: bytes,
      })
    ).status;
  }

  function putManifest(reference: string, { descriptor, bytes }: TestNode): Promise<RawResponse> {
    return send('PUT', `${NAME}/manifests/${reference}`, {
      headers: { 'content-type': descriptor.mediaType },
      body: bytes,
    });
  }

  function withDigest(location: string, digest: string): string {
    const url = new URL(location, base());
    url.searchParams.set('digest', digest);
    return url.pathname + url.search;
  }

  return { send, start, relative, pushBlob, putManifest, withDigest };
}
