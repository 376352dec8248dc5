import { beforeEach } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { Store } from '../../../src/store.ts';
import { type FakeRegistry, startFakeRegistry } from './fake-registry.ts';
import type { TestImage, TestNode } from '../images/images.ts';
import { type RawResponse, type RawRequest, sendRaw } from '../http/raw-request.ts';

/** A digest without content. */
export const ABSENT = digestOf(Buffer.from('nothing has this digest'));

/** Sends requests as the distribution specification writes them. */
export interface SpecClient {
  readonly registry: FakeRegistry;
  /** The repository `team/app`. */
  readonly store: Store;
  readonly send: (
    method: string,
    path: string,
    rest?: Omit<RawRequest, 'method' | 'path'>,
  ) => Promise<RawResponse>;
  /** Starts an upload to `team/app` and returns its location. */
  readonly startUpload: (query?: string) => Promise<string>;
  readonly withDigest: (location: string, digest: string) => string;
  readonly putManifest: (reference: string, node: TestNode) => Promise<RawResponse>;
  /** Pushes everything that the root of an image needs, but not the root. */
  readonly pushBlobs: (image: TestImage) => Promise<void>;
}

/** Starts an empty registry before each test of the file. */
export function useSpecClient(): SpecClient {
  let registry: FakeRegistry | undefined;
  beforeEach(async () => {
    const started = await startFakeRegistry();
    registry = started;
    return () => started.stop();
  });
  const running = (): FakeRegistry => {
    if (registry === undefined) throw new Error('A registry runs only during a test');
    return registry;
  };
  const send: SpecClient['send'] = (method, path, rest = {}) =>
    sendRaw(running().url, { method, path, ...rest });
  return {
    get registry() {
      return running();
    },
    get store() {
      return running().place.open('team/app');
    },
    send,
    startUpload: async (query = '') => {
      const { headers } = await send('POST', `/v2/team/app/blobs/uploads/${query}`, {
        headers: { 'content-length': 0 },
      });
      return headers.location ?? '';
    },
    withDigest: (location, digest) => {
      const url = new URL(location, running().url);
      url.searchParams.set('digest', digest);
      return url.pathname + url.search;
    },
    putManifest: (reference, { descriptor, bytes }) =>
      send('PUT', `/v2/team/app/manifests/${reference}`, {
        headers: { 'content-type': descriptor.mediaType },
        body: bytes,
      }),
    pushBlobs: async (image) => {
      const store = running().place.open('team/app');
      for (const { descriptor, bytes } of image.nodes.values()) {
        if (descriptor.digest !== image.root.digest) await store.push(descriptor, bytesOf(bytes));
      }
    },
  };
}

/** The root manifest or index of an image. */
export function rootOf(image: TestImage): TestNode {
  const node = image.nodes.get(image.root.digest);
  if (node === undefined) throw new Error('An image has a root');
  return node;
}
