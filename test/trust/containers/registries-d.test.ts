import { describe, expect, test } from 'vitest';

import { parseReference } from '../../../src/oci/reference.ts';
import { parseRegistriesD } from '../../../src/trust/containers/registries-d.ts';

const parse = async (...texts: readonly string[]) =>
  parseRegistriesD(texts.map((text, at) => ({ shown: `${at + 1}.yaml`, text })));

const FILE = `
default-docker:
  lookaside: file:///default
  use-sigstore-attachments: true
docker:
  r.test:
    sigstore: https://old.test
  r.test/team:
    lookaside: https://new.test/sig
    sigstore: https://ignored.test
  r.test/team/app:
    use-sigstore-attachments: false
  '*.example':
    lookaside: http://star.example
    lookaside-staging: file:///staging
`;

describe('parseRegistriesD()', () => {
  test.each([
    ['r.test/a:1', 'https://old.test', true],
    ['r.test/team/b:1', 'https://new.test/sig', true],
    // Each setting is that of the closest name that has it.
    ['r.test/team/app:1', 'https://new.test/sig', false],
    ['r.test/teamevil:1', 'https://old.test', true],
    ['a.b.example:5000/c:1', 'http://star.example', true],
    ['docker.io/library/busybox:1', 'file:///default', true],
  ])('finds the places of %s', async (name, lookaside, attachments) => {
    const placesOf = await parse(FILE);
    expect(placesOf(parseReference(name))).toEqual({ lookaside, attachments });
  });

  test('reads no sigstore signatures unless a file says so', async () => {
    for (const placesOf of [
      await parse(),
      await parse('# nothing\n'),
      await parse('default-docker:\n'),
    ])
      expect(placesOf(parseReference('a.test/b:1'))).toEqual({
        lookaside: undefined,
        attachments: false,
      });
  });

  test('leaves out names that it does not know, as podman does', async () => {
    const placesOf = await parse(
      'docker:\n  r.test:\n    lookaside: https://a\n    other: 1\nmore: 2\n',
    );
    expect(placesOf(parseReference('r.test/b:1')).lookaside).toBe('https://a');
  });

  test.each([
    [
      'a name in two files',
      ['docker: {r.test: {}}', 'docker: {r.test: {}}'],
      'Cannot use "2.yaml": "r.test" is in "1.yaml" too',
    ],
    [
      'two defaults',
      ['default-docker: {lookaside: "file:///a"}', 'default-docker: {lookaside: "file:///b"}'],
      '"default-docker" is in "1.yaml" too',
    ],
    ['a place that is a list', ['docker: {r.test: {lookaside: [a]}}'], '1.yaml:1:'],
    [
      'a word that is not true or false',
      ['docker: {r.test: {use-sigstore-attachments: yes}}'],
      '1.yaml:1:',
    ],
  ])('refuses %s', async (_, texts, message) => {
    await expect(parse(...texts)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(message),
    });
  });
});
