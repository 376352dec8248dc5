const fs = require('node:fs');
const nodeModule = require('node:module');
const { homedir } = require('node:os');
const path = require('node:path');
const vm = require('node:vm');

/** The name of a build: so many characters of the hash that the bundle ends in. */
const BUILD_LENGTH = 16;

/**
 * Loads a CommonJS bundle with what V8 compiled of it the last time: a quarter of the start of a short command.
 *
 * Node 22 and newer keep that themselves. What is kept is code, so it lies in a folder of the user's own and is taken from nobody else:
 * in the shared folder that Node would choose, anybody may have put it there. `NODE_DISABLE_COMPILE_CACHE=1` switches it off, as in Node.
 *
 * @param {string} bundle its path. Its last line names its content: V8 itself compares no more than the length.
 * @param {string | undefined} command which part of the bundle is about to be used: each has its own, so that none is read for nothing.
 * @returns {{ exports: any, keep: () => void }} `keep` stores what was compiled, where nothing was stored yet.
 */
function loadCompiled(bundle, command) {
  const folder = cacheFolder();
  const { enableCompileCache } = /** @type {{ enableCompileCache?: (folder: string) => void }} */ (
    /** @type {unknown} */ (nodeModule)
  );
  if (
    enableCompileCache === undefined &&
    folder !== undefined &&
    command !== undefined &&
    /^[a-z-]+$/.test(command)
  ) {
    return runScript(bundle, folder, command);
  }
  if (folder !== undefined && isOwn(folder)) enableCompileCache?.(folder);
  return { exports: require(bundle), keep: () => undefined };
}

/**
 * @param {string} bundle
 * @param {string} folder
 * @param {string} command
 */
function runScript(bundle, folder, command) {
  const source = fs.readFileSync(bundle, 'latin1');
  const build = source.slice(-BUILD_LENGTH - 1, -1);
  const file = path.join(folder, `${build}-${process.version}-${process.arch}-${command}`);
  const cachedData = readOwn(folder, file);
  const script = new vm.Script(
    `(function (exports, require, module, __filename, __dirname) { ${source}})`,
    { filename: bundle, cachedData },
  );
  const loaded = { exports: {} };
  script.runInThisContext()(
    loaded.exports,
    nodeModule.createRequire(bundle),
    loaded,
    bundle,
    path.dirname(bundle),
  );
  const isKept = cachedData !== undefined && script.cachedDataRejected !== true;
  return {
    exports: loaded.exports,
    keep: () => void (isKept || write(folder, file, () => script.createCachedData())),
  };
}

/** Where the system keeps what may be thrown away; undefined where there is no home. */
function cacheFolder() {
  const { env, platform } = process;
  if (env['NODE_DISABLE_COMPILE_CACHE']) return undefined;
  const home = env['HOME'] ?? homedir();
  if (platform === 'win32')
    return env['LOCALAPPDATA'] && path.join(env['LOCALAPPDATA'], 'regi', 'cache');
  const named = env['XDG_CACHE_HOME'];
  const folder =
    named && path.isAbsolute(named)
      ? named
      : path.join(home, platform === 'darwin' ? 'Library/Caches' : '.cache');
  return path.isAbsolute(folder) ? path.join(folder, 'regi') : undefined;
}

/**
 * Whether the folder is there and nobody else can write to it.
 *
 * @param {string} folder
 */
function isOwn(folder) {
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return isOnlyOurs(fs.lstatSync(folder));
  } catch {
    return false;
  }
}

/**
 * Another user may reach a folder that `sudo` left in the environment, or that was made too wide. Windows tells neither, and its folder is the user's.
 *
 * @param {fs.Stats} stats
 */
function isOnlyOurs({ uid, mode }) {
  return (
    process.geteuid === undefined ||
    (uid === process.geteuid() && (mode % 0o100) % 0o40 < 0o20 && (mode % 0o10) % 0o4 < 0o2)
  );
}

/**
 * @param {string} folder
 * @param {string} file
 * @returns {Buffer | undefined}
 */
function readOwn(folder, file) {
  let handle;
  try {
    handle = fs.openSync(file, 'r');
    if (!isOnlyOurs(fs.fstatSync(handle)) || !isOnlyOurs(fs.lstatSync(folder))) return undefined;
    return fs.readFileSync(handle);
  } catch {
    return undefined;
  } finally {
    if (handle !== undefined) fs.closeSync(handle);
  }
}

/**
 * Stores it whole or not at all, and what was compiled of other builds goes. It throws nothing: the next run is slower, and that is all.
 *
 * @param {string} folder
 * @param {string} file
 * @param {() => Buffer} compiled
 */
function write(folder, file, compiled) {
  if (!isOwn(folder)) return;
  const part = `${file}.${process.pid}.part`;
  try {
    // V8 checks the length and no sum: what a power cut left of a file must not get its name.
    fs.writeFileSync(part, compiled(), { flag: 'wx', mode: 0o600, flush: true });
    fs.renameSync(part, file);
    const build = path.basename(file).slice(0, BUILD_LENGTH);
    for (const name of fs.readdirSync(folder)) {
      if (/^[0-9a-f]{16}-v/.test(name) && !name.startsWith(build))
        fs.rmSync(path.join(folder, name), { force: true });
    }
  } catch {
    fs.rmSync(part, { force: true });
  }
}

module.exports = { loadCompiled, runScript };
