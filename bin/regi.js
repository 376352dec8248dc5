#!/usr/bin/env node
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

const { isVersionWord, print, wantsVersionDetails } = require('./version.js');

const bundle = path.join(__dirname, '../dist/main.cjs');
const words = process.argv.slice(2);
const isHelper = /^docker-credential-regi(?:\.js)?$/.test(path.basename(process.argv[1] ?? ''));

if (!isHelper && words.length === 1 && isVersionWord(words[0] ?? '')) {
  /** @type {{ version: string }} */
  const { version } = JSON.parse(readFileSync(path.join(__dirname, '../package.json'), 'utf8'));
  print(`${version}\n`);
} else if (!existsSync(bundle)) {
  process.stderr.write(
    'regi: Cannot start without dist/main.cjs\n  run `npm run build` in the folder of regi\n',
  );
  process.exitCode = 1;
} else {
  void start();
}

async function start() {
  // V8 in Node 20 optimises undici's HTTP parser in the background, and the process waits for that at its end: a single
  // GET takes 146 ms instead of 80 ms. Newer versions do not wait, and start slower with the flag.
  if (process.versions.node.startsWith('20.'))
    require('node:v8').setFlagsFromString('--liftoff-only');
  // Thousands of small responses leave garbage that V8 would let grow to several times of what is in use.
  if (words.includes('sync')) require('node:v8').setFlagsFromString('--optimize-for-size');
  const { loadCompiled } = require('./compile-cache.js');
  const { exports, keep } = loadCompiled(
    bundle,
    isHelper ? 'docker-credential-regi' : words.find((word) => !word.startsWith('-')),
  );
  /** @type {typeof import('../src/main.ts')} */
  const { helperMain, main, openIo, versionDetails } = exports;
  if (!isHelper && wantsVersionDetails(words)) {
    print(versionDetails(process, { hasKeychain: hasKeychain(), isExecutable: false }));
    return;
  }
  const run = isHelper ? helperMain : main;
  const status = await run(
    words,
    openIo(process, { keychainScript: path.join(__dirname, 'keychain-child.js') }),
  );
  process.exitCode = status;
  if (status === 0) keep();
  // All output is written. A forgotten open connection must not keep the shell waiting.
  setTimeout(() => process.exit(), 500).unref();
}

/** True if the addon for the keychain is installed, which npm may leave out. */
function hasKeychain() {
  try {
    require.resolve('@napi-rs/keyring');
    return true;
  } catch {
    return false;
  }
}
