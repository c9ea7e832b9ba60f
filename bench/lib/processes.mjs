// Child processes of the benchmark: pinned to a core, waited for, and gone at the end.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/** The built service; another build of it can be measured by naming it. */
export const serverScript =
  process.env.BENCH_SERVER ?? path.join(projectFolder, 'dist', 'server.js');

/** Flags for the service's node, as `--cpu-prof --cpu-prof-dir=profiles`. */
const nodeFlags = (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter(Boolean);

/** Where servers run, and where the load comes from. */
export const cores = os.availableParallelism() > 1 ? { server: '0', load: '1' } : undefined;

const children = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** Makes a folder that is removed at the end. */
export function makeFolder(base = process.env.BENCH_FOLDER ?? os.tmpdir()) {
  const folder = fs.mkdtempSync(path.join(base, 'chat-bench-'));
  folders.add(folder);
  return folder;
}

/** Removes a folder of {@link makeFolder} before the end. */
export function dropFolder(folder) {
  fs.rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/**
 * Starts a program.
 *
 * @param {string[]} command program and arguments
 * @param {{ env?: object, cwd?: string, core?: string }} options `core`: of {@link cores}, none for all
 */
export function run(command, { env = {}, cwd, core } = {}) {
  const words = !core ? command : ['taskset', '-c', core, ...command];
  const child = spawn(words[0], words.slice(1), {
    env: { ...process.env, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr = (output.stderr + chunk).slice(-4000);
  });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal, ...output });
    });
  });
  ended.catch(() => undefined);
  return { child, output, ended };
}

/**
 * Starts a server that prints its URL, and waits for it.
 *
 * @returns its process with `url` and `stop`
 */
export async function startServer(command, options = {}) {
  const started = run(command, { core: cores?.server, ...options });
  const url = await waitFor(() => /https?:\/\/\S+/.exec(started.output.stdout)?.[0], started);
  return toServer(started, url.replace(/\/$/, '').replace('localhost', '127.0.0.1'));
}

/** Starts a server that prints nothing, and waits until it answers at the URL. */
export async function startSilentServer(command, url, options = {}) {
  const started = run(command, { core: cores?.server, ...options });
  await waitFor(() => fetch(url).then(Boolean, () => undefined), started);
  return toServer(started, new URL(url).origin);
}

/** Starts the service on a folder. */
export function startChat(folder, { env = {}, ...options } = {}) {
  const own = { PORT: '0', HOST: '127.0.0.1', CHAT_STORE: folder, CHAT_LOG: 'warn', TZ: 'UTC' };
  const staticFolder = { CHAT_STATIC: path.join(projectFolder, 'static') };
  return startServer([process.execPath, ...nodeFlags, serverScript], {
    env: { ...own, ...staticFolder, ...env },
    ...options,
  });
}

function toServer({ child, output, ended }, url) {
  const stop = async () => {
    child.kill('SIGINT');
    const late = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(late);
  };
  return { child, pid: child.pid, output, ended, url, port: Number(new URL(url).port), stop };
}

async function waitFor(look, { ended, output }) {
  let exit;
  ended.then(
    (result) => {
      exit = result;
    },
    (error) => {
      exit = error;
    },
  );
  for (const endMs = performance.now() + 30_000; performance.now() < endMs; ) {
    const found = await look();
    if (found) return found;
    if (exit) throw new Error(`a server ended at its start: ${output.stderr || exit}`);
    await pause(20);
  }
  throw new Error(`a server did not start: ${output.stderr}`);
}

/** The CPU time that a process has used, in milliseconds (proc(5), user and system; ticks of 10). */
export function readCpuMs(pid) {
  const fields = fs
    .readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The memory that a process has in RAM, in bytes (proc(5)). */
export function readRssBytes(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
}

/** Resolves after so many milliseconds. */
export function pause(durationMs) {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Runs a program to its end and gives what it printed; `undefined` where there is none such. */
export function ask(program, ...words) {
  const { error, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  return error ? undefined : `${stdout}${stderr}`.trim();
}
