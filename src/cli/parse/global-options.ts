import type { OptionSpec } from '../../command.ts';

/** The flags that every command takes. `settings.ts` parses their values. */
export const GLOBAL_OPTIONS = [
  { name: 'json', summary: 'answer with one JSON object a line, and report errors as JSON' },
  { name: 'quiet', short: 'q', summary: 'print nothing but errors and the answer' },
  {
    name: 'verbose',
    short: 'v',
    repeatable: true,
    summary: 'show each request; -vv shows headers too',
  },
  {
    name: 'progress',
    value: 'MODE',
    choices: ['auto', 'plain', 'json', 'none'],
    summary: 'how progress is shown on standard error; auto is plain lines in CI',
  },
  {
    name: 'color',
    value: 'WHEN',
    choices: ['auto', 'always', 'never'],
    summary: 'when to use colours; NO_COLOR is respected',
  },
  { name: 'concurrency', value: 'N', summary: 'connections per host' },
  {
    name: 'limit-rate',
    value: 'BYTES',
    summary: 'bytes per second for the whole command, such as 10M',
  },
  {
    name: 'chunk-size',
    value: 'BYTES',
    summary: 'upload in chunks of this size, for proxies that refuse large requests',
  },
  {
    name: 'insecure-registry',
    value: 'HOST',
    repeatable: true,
    summary: 'HOST[:PORT] or CIDR: https unverified, then plain http',
  },
  {
    name: 'plain-http',
    value: 'HOST',
    repeatable: true,
    summary: 'HOST[:PORT] that speaks plain http',
  },
  {
    name: 'tls-skip-verify',
    value: 'HOST',
    repeatable: true,
    summary: 'HOST[:PORT] whose certificate is not verified',
  },
  {
    name: 'ca-file',
    value: 'FILE',
    summary: 'trust the certificate authorities in this PEM file too',
  },
  { name: 'authfile', value: 'FILE', summary: 'read credentials from this file' },
  {
    name: 'src-creds',
    value: 'WHO',
    summary: 'credentials of the source: USER:env:NAME or USER:file:PATH',
  },
  {
    name: 'dest-creds',
    value: 'WHO',
    summary: 'credentials of the destination, written in the same way',
  },
  {
    name: 'timeout',
    value: 'S',
    summary:
      'give up on a peer that is silent for S seconds (60; 900 while it stores what it was sent)',
  },
  { name: 'retry', value: 'N', summary: 'try a failed request N times more (5)' },
] as const satisfies readonly OptionSpec[];

export type GlobalOptionName = (typeof GLOBAL_OPTIONS)[number]['name'];
