const fs = require('node:fs');
const nodeModule = require('node:module');
const { homedir } = require('node:os');
const path = require('node:path');
const vm = require('node:vm');

/** Characters of the hash at the end of the bundle, which name the build. */
const BUILD_LENGTH = 16;

/**
 * Loads a CommonJS bundle with the code that V8 compiled last time. Compilation is a quarter of the run of a short command.
 *
 * Node 22 and newer have such a cache themselves. The cache contains code, so it is only read from a folder of the user:
 * anyone could write to the shared folder that Node would choose. `NODE_DISABLE_COMPILE_CACHE=1` disables it, as in Node.
 *
 * @param {string} bundle path of the bundle. Its last line is a hash of its content, as V8 only compares the length.
 * @param {string | undefined} command the command to run. Each has a cache of its own, with only the code it uses.
 * @returns {{ exports: any, keep: () => void }} `keep` stores the compiled code unless it was read from the cache.
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

/** Returns the cache folder of the system; undefined without a home. */
function cacheFolder() {
  const { env, platform } = process;
  if (env['NODE_DISABLE_COMPILE_CACHE']) return undefined;
  if (platform === 'win32')
    return env['LOCALAPPDATA'] && path.join(env['LOCALAPPDATA'], 'regi', 'cache');
  const named = env['XDG_CACHE_HOME'];
  const home = env['HOME'] ?? systemHome();
  const folder =
    named && path.isAbsolute(named)
      ? named
      : path.join(home, platform === 'darwin' ? 'Library/Caches' : '.cache');
  return path.isAbsolute(folder) ? path.join(folder, 'regi') : undefined;
}

/** Returns the home folder in the system's list of users; empty for a user who is not in it, as in many containers. */
function systemHome() {
  try {
    return homedir();
  } catch {
    return '';
  }
}

/**
 * True if the folder exists and only this user can write to it. Creates it if missing.
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
 * True if the owner is this user and no one else may write. `sudo` may leave the folder of another user in the
 * environment. Windows reports neither, but its folder belongs to the user.
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
 * Stores the compiled code atomically, and removes that of other builds. Never throws: a failure only makes the next
 * run slower.
 *
 * @param {string} folder
 * @param {string} file
 * @param {() => Buffer} compiled
 */
function write(folder, file, compiled) {
  if (!isOwn(folder)) return;
  const part = `${file}.${process.pid}.part`;
  try {
    // V8 checks only the length, so a file that a power cut left must not get the final name.
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
