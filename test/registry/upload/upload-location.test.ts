import { expect, test } from 'vitest';

import { headersOf, type HttpResponse } from '../../../src/http/message.ts';
import { bytesOf } from '../../../src/bytes.ts';
import { uploadPlace } from '../../../src/registry/upload/session.ts';

const answer = (origin: string, remoteAddress = '203.0.113.5'): HttpResponse => ({
  status: 202,
  headers: headersOf({}),
  url: new URL('/v2/a/blobs/uploads/', origin),
  remoteAddress,
  body: bytesOf(new Uint8Array()),
});

test.each([
  [
    'relative',
    '/v2/a/blobs/uploads/1?_state=x%2F',
    'https://r.example:5000/v2/a/blobs/uploads/1?_state=x%2F',
  ],
  ['absolute', 'https://r.example:5000/u?a=b', 'https://r.example:5000/u?a=b'],
  ['by http on the same host', 'http://r.example:5000/u?a=b', 'https://r.example:5000/u?a=b'],
  ['by http on the same host without the port', 'http://r.example/u', 'https://r.example:5000/u'],
  ['on another host', 'https://uploads.example/u', 'https://uploads.example/u'],
  ['by http on another host', 'http://uploads.example/u', undefined],
  ['of another scheme', 'ftp://r.example/u', undefined],
  ['with a user', 'https://a:b@r.example:5000/u', undefined],
])('uploadPlace() reads a location that is %s', (_, text, expected) => {
  expect(
    uploadPlace(text, answer('https://r.example:5000'), 'https://r.example:5000')?.url.href,
  ).toBe(expected);
});

test('uploadPlace() keeps plain http when the registry uses it', () => {
  expect(
    uploadPlace('http://r.example/u', answer('http://r.example'), 'http://r.example')?.url.href,
  ).toBe('http://r.example/u');
});

test.each([
  ['https://uploads.example/u', '203.0.113.5', 'public'],
  ['https://uploads.example/u', '10.0.0.5', 'any'],
  ['https://r.example/u', '203.0.113.5', 'any'],
])('uploadPlace() gives %s of a registry at %s the reach %s', (text, address, reach) => {
  expect(uploadPlace(text, answer('https://r.example', address), 'https://r.example')?.reach).toBe(
    reach,
  );
});
