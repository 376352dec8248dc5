import { RegiError } from '../../errors.ts';
import { quote } from '../../quote.ts';

const BLOCK =
  /-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(?<headers>(?:[^\n]*: [^\n]*\r?\n)*)[ \t]*\r?\n(?<content>[A-Za-z0-9+/=\s]*?)(?:\n=(?<checksum>[A-Za-z0-9+/]{4})\s*)?\n-----END PGP PUBLIC KEY BLOCK-----/g;

/**
 * Returns the OpenPGP packets of a key file, armored or not: gpgv reads no armored keyring. Several
 * blocks become one keyring. The checksum is left out: gpgv parses the packets, and a wrong one
 * is no key that signs anything.
 *
 * @throws {RegiError} INVALID_CONFIG for anything else.
 * @see https://www.rfc-editor.org/rfc/rfc9580#section-6.2
 */
export function dearmored(bytes: Uint8Array, name: string): Uint8Array {
  const [first = 0] = bytes;
  // The first bit of every packet is set, and of no character of armor.
  if (first >= 0x80) return bytes;
  const text = Buffer.from(bytes).toString('latin1');
  const blocks = [...text.matchAll(BLOCK)].map(({ groups }) =>
    Buffer.from(groups?.['content'] ?? '', 'base64'),
  );
  const keyring = Buffer.concat(blocks);
  if (keyring.byteLength > 0) return keyring;
  const found = /-----BEGIN (?<label>[A-Z0-9 ]+)-----/.exec(text)?.groups?.['label'];
  throw new RegiError(
    'INVALID_CONFIG',
    `Cannot use the key ${quote(name)}: expected a public key of GPG, found ${found ?? 'none'}`,
    { hint: 'write it with: gpg --export --armor KEY' },
  );
}
