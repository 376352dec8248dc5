// Stands in for @napi-rs/keyring in the single executables, which contain its addon as an asset.
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { getAsset } = require('node:sea');
const { brotliDecompressSync } = require('node:zlib');

/**
 * Loads the addon from a private file, because the system loads code only from files. The file is removed at once.
 *
 * @returns {{ AsyncEntry: typeof import('@napi-rs/keyring').AsyncEntry }}
 */
function loadAddon() {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'regi-keychain-'));
  try {
    const file = path.join(folder, 'keyring.node');
    fs.writeFileSync(file, brotliDecompressSync(getAsset('addon')), { flag: 'wx', mode: 0o600 });
    const digest = createHash('sha256').update(fs.readFileSync(file)).digest('hex');
    if (digest !== getAsset('digest', 'utf8'))
      throw new Error(`the addon for the keychain was changed in ${folder}`);
    const loaded = { exports: /** @type {any} */ ({}) };
    process.dlopen(loaded, file);
    return loaded.exports;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const { AsyncEntry } = loadAddon();
module.exports = { AsyncEntry };
