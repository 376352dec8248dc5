const path = require('node:path');
const { text } = require('node:stream/consumers');

// The child process that accesses the keychain: one request on standard input, one response on standard output.
/** @type {typeof import('../src/credentials/keychain/child.ts')} */
const { handleKeychainRequest } = require(path.join(__dirname, '../dist/keychain-child.cjs'));
void text(process.stdin).then(async (request) => {
  const response = await handleKeychainRequest(request);
  process.stdout.write(response, () => process.exit());
});
