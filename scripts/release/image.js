import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { pack } from 'tar-stream';

import { run } from './programs.js';
import { LIBRARIES } from './targets.js';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
/** As in the image of Node. */
const USER = 1000;

const PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6'];
const FOLDERS = [
  'etc/ssl/certs',
  'home',
  'usr/bin',
  ...['regi', ...PACKAGES].map((name) => `usr/share/doc/${name}`),
];

/**
 * @typedef {object} ImageOptions
 * @property {string} version
 * @property {string} commit
 * @property {string} epoch seconds since 1970 that all files and the image get
 * @property {string} licences
 * @property {string} authorities certificates in PEM that the image trusts
 * @property {string} regi the executable that makes the image
 * @property {readonly { readonly target: import('./targets.js').Target, readonly executable: string }[]} executables
 */

/**
 * Makes an image of regi with regi: one layer with the executable, its libraries and the certificates of authorities.
 * The same files make the same digest.
 *
 * @param {ImageOptions} options
 * @param {{ readonly layout: string, readonly folder: string }} paths the layout, and a folder for other files
 * @returns {Promise<string>} the digest
 */
export async function makeImage(options, { layout, folder }) {
  const { regi, version, executables } = options;
  /** @param {object} value */
  const written = (value) => {
    const file = join(folder, 'value.json');
    writeFileSync(file, JSON.stringify(value));
    return { file, digest: digestOf(readFileSync(file)), size: readFileSync(file).byteLength };
  };
  const manifests = [];
  for (const { target, executable } of executables) {
    const platform = { architecture: target.debian, os: 'linux' };
    const layer = await writeLayer(target, executable, options, join(folder, 'layer.tar.gz'));
    await run(regi, ['blob', 'put', `oci:${layout}`, layer.file]);
    const config = written(configOf({ ...options, platform, diffId: layer.diffId }));
    await run(regi, ['blob', 'put', `oci:${layout}`, config.file]);
    const manifest = written({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
    });
    await run(regi, ['manifest', 'put', `oci:${layout}@${manifest.digest}`, manifest.file]);
    manifests.push({ ...descriptor(MANIFEST, manifest), platform });
  }
  const index = written({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests,
    annotations: labelsOf(options),
  });
  await run(regi, ['manifest', 'put', `oci:${layout}:${version}`, index.file]);
  return index.digest;
}

/**
 * @param {string} mediaType
 * @param {{ readonly digest: string, readonly size: number }} content
 */
function descriptor(mediaType, { digest, size }) {
  return { mediaType, digest, size };
}

/** @param {ImageOptions & { platform: object, diffId: string }} options */
function configOf({ platform, diffId, ...options }) {
  const created = new Date(Number(options.epoch) * 1000).toISOString();
  return {
    created,
    ...platform,
    config: {
      User: `${USER}:${USER}`,
      Env: ['PATH=/usr/bin', 'HOME=/home/regi', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'],
      Entrypoint: ['/usr/bin/regi'],
      WorkingDir: '/home/regi',
      Labels: labelsOf(options),
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, created_by: 'npm run release', comment: `regi ${options.version}` }],
  };
}

/** @param {ImageOptions} options */
function labelsOf({ version, commit }) {
  const project = 'https://github.com/regi-cli/regi';
  return {
    'org.opencontainers.image.title': 'regi',
    'org.opencontainers.image.description': 'Moves container images without a container engine',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': commit,
    'org.opencontainers.image.source': project,
    'org.opencontainers.image.documentation': `${project}#readme`,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  };
}

/**
 * Writes the layer. Libraries keep the path that they have on this machine.
 *
 * @param {import('./targets.js').Target} target
 * @param {string} executable
 * @param {ImageOptions} options
 * @param {string} file
 */
async function writeLayer({ loader, libraries }, executable, options, file) {
  const { epoch, licences, authorities } = options;
  const mtime = new Date(Number(epoch) * 1000);
  const tar = pack();
  const [diffId, digest] = [createHash('sha256'), createHash('sha256')];
  let size = 0;
  const done = pipeline(
    tar,
    tap((chunk) => void diffId.update(chunk)),
    createGzip({ level: 6 }),
    tap((chunk) => {
      digest.update(chunk);
      size += chunk.byteLength;
    }),
    createWriteStream(file),
  );
  /** @param {string} path */
  const folder = (path, mode = 0o755, owner = 0) =>
    tar.entry({ name: `${path}/`, type: 'directory', mode, mtime, uid: owner, gid: owner });
  /**
   * @param {string} name
   * @param {string | Buffer} content
   */
  const entry = (name, content, mode = 0o644) => tar.entry({ name, mode, mtime }, content);
  /**
   * @param {string} name
   * @param {string} linkname
   */
  const link = (name, linkname) => tar.entry({ name, type: 'symlink', linkname, mtime });

  const libraryFolders = [libraries, loader.replace(/\/[^/]*$/, '')].map((path) => path.slice(1));
  for (const path of foldersOf([...FOLDERS, ...libraryFolders])) folder(path);
  for (const name of LIBRARIES)
    entry(`${libraries.slice(1)}/${name}`, readFileSync(join(libraries, name)), 0o755);
  const loaderFile = existsSync(loader) ? loader : join(libraries, loader.replace(/.*\//, ''));
  entry(loader.slice(1), readFileSync(loaderFile), 0o755);
  entry('etc/passwd', `root:x:0:0::/root:/none\nregi:x:${USER}:${USER}::/home/regi:/none\n`);
  entry('etc/group', `root:x:0:\nregi:x:${USER}:\n`);
  entry('etc/nsswitch.conf', 'hosts: files dns\n');
  entry('etc/ssl/certs/ca-certificates.crt', authorities);
  folder('home/regi', 0o750, USER);
  folder('tmp', 0o1777);
  await new Promise((resolve, reject) => {
    const { size: bytes } = statSync(executable);
    const sink = tar.entry({ name: 'usr/bin/regi', mode: 0o755, mtime, size: bytes }, (error) =>
      error ? reject(error) : resolve(undefined),
    );
    pipeline(createReadStream(executable), sink).catch(reject);
  });
  link('usr/bin/docker-credential-regi', 'regi');
  entry('usr/share/doc/regi/copyright', licences);
  for (const name of PACKAGES)
    entry(`usr/share/doc/${name}/copyright`, readFileSync(`/usr/share/doc/${name}/copyright`));
  tar.finalize();
  await done;
  return {
    file,
    size,
    digest: `sha256:${digest.digest('hex')}`,
    diffId: `sha256:${diffId.digest('hex')}`,
  };
}

/**
 * Lists folders with all that contain them, in order.
 *
 * @param {readonly string[]} paths
 */
function foldersOf(paths) {
  const all = paths.flatMap((path) =>
    path.split('/').map((_, at, names) => names.slice(0, at + 1).join('/')),
  );
  return [...new Set(all)].sort();
}

/** @param {(chunk: Buffer) => void} see */
function tap(see) {
  return new Transform({
    transform(chunk, _encoding, done) {
      see(chunk);
      done(null, chunk);
    },
  });
}

/** @param {Uint8Array} bytes */
function digestOf(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
