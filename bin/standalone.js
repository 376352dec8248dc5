// The main script of the single executables. scripts/release.js bundles it with Node and the addon for the keychain.
const path = require('node:path');
const { text } = require('node:stream/consumers');

const { handleKeychainRequest } = require('../src/credentials/keychain/child.ts');
const { helperMain, main, openIo, versionDetails } = require('../src/main.ts');
const { VERSION } = require('../src/version.ts');
const { isVersionWord, print, wantsVersionDetails } = require('./version.js');

/** The hidden command that accesses the keychain. The executable starts itself with it, as regi.js starts keychain-child.js. */
const KEYCHAIN = '__keychain';

const words = process.argv.slice(2);
// `docker-credential-regi` is a link to the executable.
const isHelper = /^docker-credential-regi$/.test(path.basename(process.argv0));

if (words.length === 1 && words[0] === KEYCHAIN) {
  void text(process.stdin).then(async (request) => {
    const response = await handleKeychainRequest(request);
    process.stdout.write(response, () => process.exit());
  });
} else if (!isHelper && words.length === 1 && isVersionWord(words[0] ?? '')) {
  print(`${VERSION}\n`);
} else if (!isHelper && wantsVersionDetails(words)) {
  print(versionDetails(process, { hasKeychain: true, isExecutable: true }));
} else {
  void start();
}

async function start() {
  const run = isHelper ? helperMain : main;
  process.exitCode = await run(words, openIo(process, { keychainScript: KEYCHAIN }));
  // All output is written. A forgotten open connection must not keep the shell waiting.
  setTimeout(() => process.exit(), 500).unref();
}
