import type { OptionSpec } from '../../command.ts';

/** The flags of every command. `settings.ts` parses their values. */
export const GLOBAL_OPTIONS = [
  { name: 'json', summary: 'print one JSON object per line, and errors as JSON' },
  { name: 'quiet', short: 'q', summary: 'print only the output and errors' },
  {
    name: 'verbose',
    short: 'v',
    repeatable: true,
    summary: 'log each request; -vv also logs headers',
  },
  {
    name: 'progress',
    value: 'MODE',
    choices: ['auto', 'plain', 'json', 'none'],
    summary: 'progress on standard error; auto prints plain lines in CI',
  },
  {
    name: 'color',
    value: 'WHEN',
    choices: ['auto', 'always', 'never'],
    summary: 'when to use colours; auto respects NO_COLOR',
  },
  { name: 'concurrency', value: 'N', summary: 'open at most N connections per host' },
  {
    name: 'limit-rate',
    value: 'BYTES',
    summary: 'limit bytes per second for the whole command, such as 10M',
  },
  {
    name: 'chunk-size',
    value: 'BYTES',
    summary: 'upload in chunks of this size, for proxies that reject large requests',
  },
  {
    name: 'insecure-registry',
    value: 'HOST',
    repeatable: true,
    summary: 'HOST[:PORT] or CIDR: try unverified https, then plain http',
  },
  {
    name: 'plain-http',
    value: 'HOST',
    repeatable: true,
    summary: 'HOST[:PORT]: use plain http',
  },
  {
    name: 'tls-skip-verify',
    value: 'HOST',
    repeatable: true,
    summary: 'HOST[:PORT]: do not verify the certificate',
  },
  {
    name: 'ca-file',
    value: 'FILE',
    summary: 'also trust the certificate authorities in this PEM file',
  },
  { name: 'authfile', value: 'FILE', summary: 'read credentials from this file' },
  {
    name: 'src-creds',
    value: 'CREDS',
    summary: 'credentials for the source: USER:env:NAME or USER:file:PATH',
  },
  {
    name: 'dest-creds',
    value: 'CREDS',
    summary: 'credentials for the destination, in the same form',
  },
  {
    name: 'timeout',
    value: 'S',
    summary: 'give up if a peer is silent for S seconds (60; 900 after an upload)',
  },
  { name: 'retry', value: 'N', summary: 'retry a failed request up to N times (5)' },
] as const satisfies readonly OptionSpec[];

export type GlobalOptionName = (typeof GLOBAL_OPTIONS)[number]['name'];
