// npm start: builds if needed, then serves in this same process, so that signals and the exit code
// are the server's own.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { root } from './lib.mjs';

// Ctrl+C in a terminal signals npm and this process, and npm passes its signal on: two signals for
// one key. The server exits at once on a second signal, so the second one is dropped.
const echoMs = 300;
const parentCheckMs = 500;

/** Drops a SIGINT or SIGTERM that follows another within 0.3 s. */
function dropEchoedSignals() {
  const emit = process.emit;
  let lastMs = Number.NEGATIVE_INFINITY;
  process.emit = (name, ...args) => {
    if (name === 'SIGINT' || name === 'SIGTERM') {
      const nowMs = performance.now();
      if (nowMs - lastMs < echoMs) return true;
      lastMs = nowMs;
    }
    return emit.call(process, name, ...args);
  };
}

/** SIGTERM to npm ends only npm and its shell. Ends this process too, so that no server is left behind. */
function endWithParent() {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, parentCheckMs);
  timer.unref();
}

build();
if (process.env.npm_lifecycle_event) {
  dropEchoedSignals();
  endWithParent();
}
const server = join(root, 'dist', 'server.js');
process.argv[1] = server;
await import(pathToFileURL(server).href);
