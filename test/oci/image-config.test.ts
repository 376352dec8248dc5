import fc from 'fast-check';
import { expect, test } from 'vitest';

import { parseImageConfig } from '../../src/oci/image-config.ts';

test('parseImageConfig() reads every member that it knows', () => {
  const config = parse({
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
    created: '2025-01-01T00:00:00Z',
    config: {
      Entrypoint: ['/app'],
      Cmd: null,
      Env: ['A=b'],
      Labels: { a: 'b' },
      ExposedPorts: { '80/tcp': {} },
      User: '',
    },
    rootfs: { diff_ids: ['sha256:00'] },
    history: [
      { created_by: 'ADD x', empty_layer: false },
      { created_by: 'CMD y', empty_layer: true },
    ],
  });
  expect(config).toMatchObject({
    platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    entrypoint: ['/app'],
    cmd: [],
    env: ['A=b'],
    labels: { a: 'b' },
    exposedPorts: ['80/tcp'],
    user: undefined,
    diffIds: ['sha256:00'],
    history: [
      { createdBy: 'ADD x', empty: false },
      { createdBy: 'CMD y', empty: true },
    ],
  });
});

test('parseImageConfig() keeps a label that is called like a member of every object', () => {
  expect(
    Object.entries(
      parseImageConfig(Buffer.from('{"config":{"Labels":{"__proto__":"x"}}}'))?.labels ?? {},
    ),
  ).toEqual([['__proto__', 'x']]);
});

test('parseImageConfig() returns undefined when the bytes are not a JSON object', () => {
  for (const text of ['', '[]', 'null', '"x"', '{'])
    expect(parseImageConfig(Buffer.from(text))).toBeUndefined();
});

test('parseImageConfig() accepts any JSON object, with members of any type', () => {
  const anything = fc.jsonValue();
  fc.assert(
    fc.property(
      fc.record({
        os: anything,
        config: anything,
        history: anything,
        rootfs: anything,
        created: anything,
      }),
      (json) => {
        expect(parse(json)).toBeDefined();
      },
    ),
  );
});

function parse(json: unknown): ReturnType<typeof parseImageConfig> {
  return parseImageConfig(Buffer.from(JSON.stringify(json)));
}
