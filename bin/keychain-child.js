import { text } from 'node:stream/consumers';

// What regi starts to ask the keychain: one request on standard input, one answer on standard output.
/** @type {typeof import('../src/credentials/keychain-child.ts')} */
const { answerKeychain } = await import(new URL('../dist/credentials/keychain-child.js', import.meta.url).href);
process.stdout.write(await answerKeychain(await text(process.stdin)), () => process.exit());
