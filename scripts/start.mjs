// npm start: builds where that is needed, then serves in this very process, so that signals and the
// exit code are the server's own.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { root } from './lib.mjs';

// A Ctrl+C in a terminal reaches npm and this process, and npm hands its own on: two signals for
// one key. The server takes a second signal as "exit at once", so the echo must not reach it.
const echoMs = 300;
const parentCheckMs = 500;

/** Drops a SIGINT or SIGTERM that follows another within a moment. */
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

/** A SIGTERM to npm ends npm and its shell only: going when they go, nobody serves on unseen. */
function goWithParent() {
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
  goWithParent();
}
const server = join(root, 'dist', 'server.js');
process.argv[1] = server;
await import(pathToFileURL(server).href);
