#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

const bundle = new URL('../dist/main.js', import.meta.url);
const words = process.argv.slice(2);
const isHelper = /^docker-credential-regi(?:\.js)?$/.test(basename(process.argv[1] ?? ''));

if (!isHelper && words.length === 1 && ['--version', '-V', 'version'].includes(words[0] ?? '')) {
  /** @type {{ version: string }} */
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  process.stdout.write(`${version}\n`);
} else if (!existsSync(bundle)) {
  process.stderr.write('regi: Cannot start without dist/main.js\n  type `npm run build` in the folder of regi\n');
  process.exitCode = 1;
} else {
  // V8 of Node 20 optimises undici's HTTP parser in the background and makes the process wait for it at its end:
  // a single GET takes 146 ms with that and 80 ms without. Newer versions do not, and start slower with the flag.
  if (process.versions.node.startsWith('20.')) v8.setFlagsFromString('--liftoff-only');
  else if ('enableCompileCache' in module && typeof module.enableCompileCache === 'function') module.enableCompileCache();
  /** @type {typeof import('../src/main.ts')} */
  const { helperMain, main, openIo } = await import(bundle.href);
  const run = isHelper ? helperMain : main;
  process.exitCode = await run(words, openIo(process, { keychainScript: fileURLToPath(new URL('keychain-child.js', import.meta.url)) }));
  // Everything is written by now. A connection that somebody forgot to close must not keep the shell waiting.
  setTimeout(() => process.exit(), 500).unref();
}
