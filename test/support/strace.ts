// Faults in a running service's system calls, injected by `strace`.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempFolder } from './paths.ts';
import { type Server, waitUntil, watch } from './server.ts';

/** A tracer that is attached to a service. */
export interface Tracer {
  /** How many faults it has injected. */
  countFaults(): number;
  /** Kills it; the service goes on. */
  kill(): Promise<void>;
}

/** Attaches a tracer that injects a fault into calls on some files, whoever makes them. */
export async function attachTracer(
  server: Server,
  files: readonly string[],
  inject: string,
): Promise<Tracer> {
  const log = join(makeTempFolder('trace'), 'log');
  const paths = files.flatMap((file) => ['-P', file]);
  const args = ['-f', '-qq', '-o', log, ...paths, '-e', `inject=${inject}`, '-p', `${server.pid}`];
  const tracer = watch(spawn('strace', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  const tasks = `/proc/${server.pid}/task`;
  const isTraced = (task: string): boolean =>
    readTracer(join(tasks, task, 'status')) === tracer.pid;
  await waitUntil('traced', () => readdirSync(tasks).every(isTraced));
  return {
    countFaults: () => readFileSync(log, 'utf8').split('(INJECTED)').length - 1,
    kill: async () => void (await tracer.kill()),
  };
}

/** @returns the process id of a process's tracer */
export function readTracer(statusFile: string): number {
  return Number(/^TracerPid:\s+(\d+)$/m.exec(readFileSync(statusFile, 'utf8'))![1]);
}

/** Lists the journals in a folder of rooms. */
export function listJournals(store: string): string[] {
  const folder = join(store, '.journal');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.journal'))
    .map((name) => join(folder, name));
}
