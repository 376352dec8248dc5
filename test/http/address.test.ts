import { describe, expect, test } from 'vitest';

import { isPrivateAddress } from '../../src/http/address.ts';

const PRIVATE = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.0.9',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fd00::1',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:a00:1',
  '::7f00:1',
  '64:ff9b::7f00:1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::ac10:1',
];
const PUBLIC = [
  '8.8.8.8',
  '172.32.0.1',
  '100.128.0.1',
  '192.169.0.1',
  '2606:4700::1111',
  '::ffff:8.8.8.8',
  '64:ff9b::808:808',
];

describe('isPrivateAddress()', () => {
  test.each(PRIVATE)('is true for %s', (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });

  test.each([...PUBLIC, '', 'registry.example', '10.0.0'])('is false for %s', (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  });
});
