import fc from 'fast-check';
import { expect, test } from 'vitest';

import { describeProblems, parseProblems } from '../../src/registry/problems.ts';

test.each([
  [
    'the errors of the specification',
    '{"errors":[{"code":"NAME_UNKNOWN","message":"no such","detail":{}}]}',
    [{ code: 'NAME_UNKNOWN', message: 'no such' }],
  ],
  [
    'errors of Artifactory, without code',
    '{"errors":[{"status":400,"message":"bad"}]}',
    [{ code: undefined, message: 'bad' }],
  ],
  [
    'a message',
    '{"message":"toomanyrequests: slow down"}',
    [{ code: undefined, message: 'toomanyrequests: slow down' }],
  ],
  [
    'B7: the detail of an error',
    '{"errors":[{"code":"DENIED","message":"denied","detail":"quota of 5 GiB is used up"}]}',
    [{ code: 'DENIED', message: 'denied: quota of 5 GiB is used up' }],
  ],
  [
    'B7: a detail that is an object',
    '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown","detail":{"digest":"sha256:0"}}]}',
    [{ code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown: {"digest":"sha256:0"}' }],
  ],
  [
    'B7: no detail that only repeats the request',
    '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"1"}}]}',
    [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }],
  ],
  ['details', '{"details":"limit"}', [{ code: undefined, message: 'limit' }]],
  ['an error object', '{"error":{"code":"X","message":"y"}}', [{ code: 'X', message: 'y' }]],
  [
    'a page',
    '<html><head><title>413 Request\n Entity Too Large</title></head></html>',
    [{ code: undefined, message: '413 Request Entity Too Large' }],
  ],
  [
    'a page with a heading only',
    '<html><h1>Oops</h1></html>',
    [{ code: undefined, message: 'Oops' }],
  ],
  [
    'text, its first line',
    '404 page not found\nmore',
    [{ code: undefined, message: '404 page not found' }],
  ],
  ['JSON that says nothing', '{}', []],
  ['nothing', ' ', []],
])('parseProblems() reads %s', (_, body, problems) => {
  expect(parseProblems(body)).toEqual(problems);
});

test('parseProblems() escapes control characters', () => {
  expect(parseProblems('{"errors":[{"code":"A","message":"\\u001b[31mred"}]}')[0]?.message).toBe(
    '\\x1b[31mred',
  );
});

test('parseProblems() shortens a long text', () => {
  expect(parseProblems('x'.repeat(10_000))[0]?.message.length).toBeLessThan(400);
});

test('parseProblems() never throws', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseProblems(text)));
});

test('describeProblems() shows three problems and counts the others', () => {
  const problems = [1, 2, 3, 4, 5].map((number) => ({ code: `C${number}`, message: 'm' }));
  expect(describeProblems(problems)).toBe('C1 "m", C2 "m", C3 "m" and 2 more');
});
