// The peers, each started in a minimal fair configuration, and what they need from Debian.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { ask, makeFolder, projectFolder, startServer, startSilentServer } from './processes.mjs';

const peersFolder = path.join(projectFolder, 'bench', 'peers');

const PACKAGES = {
  wrk: () => ask('wrk', '-v'),
  curl: () => ask('curl', '-V'),
  'nginx-light': () => ask('nginx', '-v'),
  'libnginx-mod-nchan': () =>
    fs.existsSync('/usr/lib/nginx/modules/ngx_nchan_module.so') || undefined,
  // The Python that Debian's gunicorn runs, not one that comes first in PATH.
  'python3-flask': () =>
    spawnSync('/usr/bin/python3', ['-c', 'import flask']).status === 0 || undefined,
  gunicorn: () => ask('gunicorn', '--version'),
  gcc: () => ask('cc', '--version'),
  'libc6-dev': () => fs.existsSync('/usr/include/dlfcn.h') || undefined,
};

/** Brings what is missing, where this is Debian and we may; names what is missing still. */
export function bringPeers() {
  const isMissing = (name) => PACKAGES[name]() === undefined;
  const missing = Object.keys(PACKAGES).filter(isMissing);
  if (missing.length > 0 && process.getuid() === 0) {
    const options = { stdio: ['ignore', 'ignore', 'inherit'] };
    spawnSync('apt-get', ['update', '-qq'], options);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const words = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
    spawnSync('apt-get', words, { ...options, env });
  }
  return missing.filter(isMissing);
}

/**
 * Starts bare `node:http`.
 *
 * @param {'text' | 'unchanged' | 'form'} kind
 * @param {string[]} headers what it answers with: name, value, name, value
 */
export function startBare(kind, headers, { bodyBytes = 10_240, ...options } = {}) {
  return startServer([process.execPath, path.join(peersFolder, 'bare.mjs')], {
    env: {
      PEER_KIND: kind,
      PEER_HEADERS: JSON.stringify(headers),
      PEER_BODY_BYTES: String(bodyBytes),
    },
    ...options,
  });
}

/** Starts the sketch of a store that syncs, on a folder of its own. */
export async function startSketch(headers, base) {
  const folder = makeFolder(base);
  const server = await startServer([process.execPath, path.join(peersFolder, 'sketch.mjs')], {
    env: { PEER_FOLDER: folder, PEER_HEADERS: JSON.stringify(headers) },
  });
  return { ...server, folder };
}

/** Starts nginx with one of the configurations in peers/, one worker. */
export async function startNginx(config, { rooms = '' } = {}) {
  const folder = makeFolder();
  const port = await findPort();
  const text = fs
    .readFileSync(path.join(peersFolder, config), 'utf8')
    .replaceAll('@folder@', folder)
    .replaceAll('@rooms@', rooms)
    .replaceAll('@port@', String(port));
  const file = path.join(folder, 'nginx.conf');
  fs.writeFileSync(file, text);
  fs.chmodSync(folder, 0o755);
  const server = await startSilentServer(['nginx', '-c', file], `http://127.0.0.1:${port}/`);
  return { ...server, pid: findWorker(server.pid) };
}

/** Starts the Flask solution under gunicorn with two workers, on all cores. */
export async function startFlask() {
  const port = await findPort();
  const words = ['gunicorn', '-w', '2', '-b', `127.0.0.1:${port}`, 'flask_app:app'];
  const folder = makeFolder();
  const server = await startSilentServer(words, `http://127.0.0.1:${port}/chat/none`, {
    cwd: peersFolder,
    core: null,
    env: { PEER_FOLDER: folder, PYTHONDONTWRITEBYTECODE: '1' },
  });
  return { ...server, folder };
}

/** nginx's worker: the one that serves. */
function findWorker(master) {
  for (let tries = 0; tries < 100; tries += 1) {
    const children = fs.readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim();
    if (children !== '') return Number(children.split(' ')[0]);
  }
  throw new Error('nginx has no worker');
}

function findPort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
