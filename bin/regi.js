#!/usr/bin/env node
const { existsSync, readFileSync, writeSync } = require('node:fs');
const path = require('node:path');

const bundle = path.join(__dirname, '../dist/main.cjs');
const words = process.argv.slice(2);
const isHelper = /^docker-credential-regi(?:\.js)?$/.test(path.basename(process.argv[1] ?? ''));

if (!isHelper && words.length === 1 && ['--version', '-V', 'version'].includes(words[0] ?? '')) {
  /** @type {{ version: string }} */
  const { version } = JSON.parse(readFileSync(path.join(__dirname, '../package.json'), 'utf8'));
  try {
    // Not process.stdout: streams are a tenth of the time that this takes.
    writeSync(1, `${version}\n`);
  } catch (error) {
    // A reader that has gone is no failure.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) {
      process.stderr.write(
        `regi: Cannot write the answer: ${error instanceof Error ? error.message : String(error)}\n`,
      );
      process.exitCode = 1;
    }
  }
} else if (!existsSync(bundle)) {
  process.stderr.write(
    'regi: Cannot start without dist/main.cjs\n  type `npm run build` in the folder of regi\n',
  );
  process.exitCode = 1;
} else {
  void start();
}

async function start() {
  // V8 of Node 20 optimises undici's HTTP parser in the background and makes the process wait for it at its end:
  // a single GET takes 146 ms with that and 80 ms without. Newer versions do not, and start slower with the flag.
  if (process.versions.node.startsWith('20.'))
    require('node:v8').setFlagsFromString('--liftoff-only');
  const { loadCompiled } = require('./compile-cache.js');
  const { exports, keep } = loadCompiled(
    bundle,
    isHelper ? 'docker-credential-regi' : words.find((word) => !word.startsWith('-')),
  );
  /** @type {typeof import('../src/main.ts')} */
  const { helperMain, main, openIo } = exports;
  const run = isHelper ? helperMain : main;
  const status = await run(
    words,
    openIo(process, { keychainScript: path.join(__dirname, 'keychain-child.js') }),
  );
  process.exitCode = status;
  if (status === 0) keep();
  // Everything is written by now. A connection that somebody forgot to close must not keep the shell waiting.
  setTimeout(() => process.exit(), 500).unref();
}
