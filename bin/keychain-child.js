const path = require('node:path');
const { text } = require('node:stream/consumers');

// What regi starts to ask the keychain: one request on standard input, one answer on standard output.
/** @type {typeof import('../src/credentials/keychain/child.ts')} */
const { answerKeychain } = require(path.join(__dirname, '../dist/keychain-child.cjs'));
void text(process.stdin).then(async (request) => {
  const answer = await answerKeychain(request);
  process.stdout.write(answer, () => process.exit());
});
