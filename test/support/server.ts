// The built service as a child process, which ends with the test at the latest.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { makeTempFolder, projectFolder } from './paths.ts';

/** How a service is started. */
export interface ServerOptions {
  /** Environment variables; `undefined` takes one away. */
  env?: Record<string, string | undefined>;
  /** Arguments after dist/server.js. */
  args?: string[];
  /** The node program; the one that runs the test by default. */
  node?: string;
  /** Words before the node program, as `['strace', '-f']`. */
  wrapper?: string[];
  /** The working directory. */
  cwd?: string;
  /** The script; the built dist/server.js by default. */
  script?: string;
  /** The folder of the rooms; a new one by default. */
  store?: string;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process of the service, from its start on. */
export interface ServerProcess {
  pid: number;
  child: ChildProcess;
  /** The lines printed so far. */
  stdout: string[];
  stderr: string[];
  /** Resolves when the process has ended and its output is read, or a second after its end. */
  exited: Promise<Exit>;
  /** Waits until a line of standard output matches. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGKILL and waits for the end. */
  kill(): Promise<Exit>;
  /** Sends SIGTERM and waits for the end; fails after 15 s. */
  stop(): Promise<Exit>;
}

/** A service that has printed where it listens. */
export interface Server extends ServerProcess {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  url: string;
  port: number;
  store: string;
  /** The line that it printed. */
  startLine: string;
}

const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;
const lateOutputMs = 1_000;
const running = new Set<ChildProcess>();
const groups = new WeakSet<ChildProcess>();

process.on('exit', () => {
  for (const child of running) {
    child.kill('SIGKILL');
    if (groups.has(child)) killGroup(child);
  }
});

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
  } catch {
    // The group has ended already.
  }
}

/** Starts the service on a free port of 127.0.0.1 and waits for its start line. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const store = options.store ?? options.env?.CHAT_STORE ?? makeTempFolder('rooms');
  const process = spawnServer({ ...options, store });
  const startLine = await process.waitForLine(/https?:\/\//, startTimeoutMs);
  const port = Number(/https?:\/\/[^\s/]*:(\d+)/.exec(startLine)?.[1]);
  if (!port) throw new Error(`no port in the start line: ${startLine}`);
  return { ...process, url: `http://127.0.0.1:${port}`, port, store, startLine };
}

/** Starts the service without waiting for its start line: for starts that must fail. */
export function spawnServer(options: ServerOptions = {}): ServerProcess {
  const node = options.node ?? process.execPath;
  const script = options.script ?? join(projectFolder, 'dist', 'server.js');
  const [command = node, ...args] = [
    ...(options.wrapper ?? []),
    node,
    script,
    ...(options.args ?? []),
  ];
  const store = options.store ?? makeTempFolder('rooms');
  const env = makeEnvironment({ CHAT_STORE: store, ...options.env });
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  return watch(spawn(command, args, { cwd: options.cwd ?? makeTempFolder('cwd'), env, stdio }));
}

/** Makes an environment without variables that configure the service or the test runner. */
export function makeEnvironment(own: Record<string, string | undefined>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^(CHAT_|npm_|NODE_TEST|PORT$|HOST$|TZ$)/.test(name)) env[name] = value;
  }
  return { ...env, PORT: '0', HOST: '127.0.0.1', ...own };
}

/**
 * Wraps a child process with piped output. It is killed when the test's process ends.
 *
 * @param isGroup whether it was started `detached`, so that its whole process group is killed
 */
export function watch(child: ChildProcess, { isGroup = false } = {}): ServerProcess {
  running.add(child);
  if (isGroup) groups.add(child);
  const stdout: string[] = [];
  const stderr: string[] = [];
  const waiting = new Set<() => void>();
  const notice = () => {
    for (const check of waiting) check();
  };
  collectLines(child.stdout, stdout, notice);
  collectLines(child.stderr, stderr, notice);
  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      running.delete(child);
      exit ??= { code, signal };
      resolve(exit);
      notice();
    };
    child.once('close', end);
    // A tracer or an orphan may keep the pipes open long after the process has ended.
    child.once('exit', (...how) => setTimeout(end, lateOutputMs, ...how));
  });
  // A child that nobody waits for must not keep the test's process alive.
  exited.catch(() => {});
  unref(child);
  const watched: ServerProcess = {
    pid: child.pid ?? -1,
    child,
    stdout,
    stderr,
    exited,
    waitForLine: (pattern, timeoutMs = startTimeoutMs) =>
      waitForLine(pattern, timeoutMs, { stdout, stderr, waiting, getExit: () => exit }),
    signal: (name) => void child.kill(name),
    kill: () => endWith('SIGKILL'),
    stop: () => endWith('SIGTERM'),
  };
  function endWith(name: NodeJS.Signals): Promise<Exit> {
    if (!exit) child.kill(name);
    return withDeadline(exited, stopTimeoutMs, () => `still running after ${name}`);
  }
  return watched;
}

interface Watched {
  stdout: string[];
  stderr: string[];
  waiting: Set<() => void>;
  getExit: () => Exit | undefined;
}

function waitForLine(pattern: RegExp, timeoutMs: number, from: Watched): Promise<string> {
  let check = () => {};
  const found = new Promise<string>((resolve, reject) => {
    check = () => {
      const line = from.stdout.find((candidate) => pattern.test(candidate));
      if (line !== undefined) resolve(line);
      else if (from.getExit()) reject(new Error(`ended without ${pattern}: ${describe(from)}`));
    };
    from.waiting.add(check);
    check();
  });
  const waited = withDeadline(found, timeoutMs, () => `no line ${pattern}: ${describe(from)}`);
  return waited.finally(() => from.waiting.delete(check));
}

function describe(from: Watched): string {
  return JSON.stringify({ stdout: from.stdout, stderr: from.stderr, exit: from.getExit() });
}

/** Finds a port of 127.0.0.1 on which nobody listens now. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Waits for a promise; rejects with the reason after the time. */
export function withDeadline<T>(
  promise: Promise<T>,
  timeoutMs: number,
  why: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${timeoutMs} ms: ${why()}`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Polls a condition until it holds; rejects with its name after the time. */
export async function waitUntil(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`after ${timeoutMs} ms: not ${what}`);
    await pause(20);
  }
}

/** Waits for a time. Tests wait for events; use this only where the time itself is the event. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

function collectLines(stream: Readable | null, lines: string[], notice: () => void): void {
  if (!stream) return;
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
    lines.push(line);
    notice();
  });
}

function unref(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdout, child.stderr]) {
    (stream as { unref?: () => void } | null)?.unref?.();
  }
}
