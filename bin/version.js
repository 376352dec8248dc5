const { writeSync } = require('node:fs');

/** @param {string} word */
function isVersionWord(word) {
  return word === '--version' || word === '-V' || word === 'version';
}

/**
 * True for `regi --version --verbose`, in either order.
 *
 * @param {readonly string[]} words
 */
function wantsVersionDetails(words) {
  return (
    words.length === 2 &&
    words.some(isVersionWord) &&
    words.some((word) => word === '--verbose' || word === '-v')
  );
}

/**
 * Writes to standard output. Not through process.stdout: loading streams would take a tenth of the time.
 *
 * @param {string} text
 */
function print(text) {
  try {
    writeSync(1, text);
  } catch (error) {
    // It is no failure if the reader has gone.
    if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return;
    process.stderr.write(
      `regi: Cannot write to standard output: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}

module.exports = { isVersionWord, print, wantsVersionDetails };
