// Processes on one disk and one clock, all simulated: the seed decides which wait ends next. The
// store gets this world's time wherever it asks for the time.
import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import type { Disk } from '../../../lib/disk/disk.ts';
import type { ModelDisk } from './model-disk.ts';
import { ProcessDisk } from './process-disk.ts';
import type { Random } from './random.ts';

/** What a dead process gets from every call. */
export class Killed extends Error {}

/** What may go wrong with a call: an errno, a short write, or the end of the process. */
export type Fault = { errno: string } | { isShort: true } | { dies: 'before' | 'after' };

/** A call of a process, as faults and images see it. */
export interface Call {
  readonly process: Process;
  readonly name: keyof Disk | 'handle.write' | 'handle.sync' | 'handle.close';
  readonly path: string;
}

interface Due {
  readonly process: Process;
  readonly atMs: number;
  readonly run: () => void;
  isGone: boolean;
}

/** One process: alive, frozen, or dead. */
export class Process {
  readonly world: World;
  readonly disk: Disk;
  readonly name: string;
  /** How far its wall clock is off. */
  wallOffsetMs = 0;
  isFrozen = false;
  /** When it last went on, and when a sync of it last failed. */
  thawedAtMs = Number.NEGATIVE_INFINITY;
  failedSyncAtMs = Number.NEGATIVE_INFINITY;
  isDead = false;
  /** After so many further calls it dies. */
  callsLeft = Number.POSITIVE_INFINITY;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.disk = new ProcessDisk(this);
  }

  /** Runs code of this process: what it starts belongs to it. */
  run<T>(code: () => T): T {
    return current.run(this, code);
  }

  /** Ends it; its open files are closed by the system. */
  die(): void {
    this.isDead = true;
    (this.disk as ProcessDisk).closeAll();
  }

  /** Resolves after so long, if it still lives then. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.later(delayMs, resolve));
  }

  later(delayMs: number, run: () => void): Due {
    const due: Due = { process: this, atMs: this.world.nowMs + delayMs, run, isGone: false };
    this.world.due.push(due);
    return due;
  }
}

let lastBoot = 0;

export class World {
  readonly disk: ModelDisk;
  readonly random: Random;
  readonly processes: Process[] = [];
  /** The id of this boot: a world begins with one. */
  readonly boot = `boot-${++lastBoot}`;
  due: Due[] = [];
  nowMs = 0;
  /** Asked before every call. */
  onCall: (call: Call) => Fault | undefined = () => undefined;
  /** The defects of the disk itself, for the proof that the judge sees them. */
  lies: ReadonlySet<Lie> = new Set();
  /** Whether locks may be links here: not so on a network's disk. */
  hasLinks = true;

  constructor(disk: ModelDisk, random: Random) {
    this.disk = disk;
    this.random = random;
  }

  spawn(): Process {
    const process = new Process(this, `p${this.processes.length}`);
    this.processes.push(process);
    return process;
  }

  /** Lets time go on; things become due. */
  pass(durationMs: number): void {
    this.nowMs += durationMs;
    this.disk.nowMs += durationMs;
  }

  /** Lets so much time pass, and everything happen that is due in it. */
  async idle(durationMs: number): Promise<void> {
    const endMs = this.nowMs + durationMs;
    while (this.nowMs < endMs && (await this.step()));
  }

  /** Ends one of the waits that are due, by chance; if none is, lets time pass first. */
  async step(): Promise<boolean> {
    this.due = this.due.filter((one) => !one.isGone && !one.process.isDead);
    const waiting = this.due.filter((one) => !one.process.isFrozen);
    if (waiting.length === 0) return false;
    let ready = waiting.filter((one) => one.atMs <= this.nowMs);
    if (ready.length === 0) {
      const nextMs = Math.min(...waiting.map((one) => one.atMs));
      this.pass(nextMs - this.nowMs);
      ready = waiting.filter((one) => one.atMs <= this.nowMs);
    }
    const chosen = this.random.pick(ready);
    chosen.isGone = true;
    chosen.process.run(chosen.run);
    await runTicks();
    return true;
  }
}

/** A promise of the disk that it does not keep. */
export type Lie = 'no-data-sync' | 'no-folder-sync' | 'no-exclusive-create' | 'no-truncate';

/** Lets everything run that waits for nothing but its tick. */
export async function runTicks(): Promise<void> {
  for (let ticks = 0; ticks < 6; ticks += 1) await new Promise(setImmediate);
}

const current = new AsyncLocalStorage<Process>();
const real = {
  now: performance.now.bind(performance),
  wall: Date.now,
  random: Math.random,
  monotonic: process.hrtime.bigint.bind(process.hrtime),
  interval: globalThis.setInterval,
  clear: globalThis.clearInterval,
};

interface FakeTimer {
  isStopped: boolean;
  unref(): FakeTimer;
}

/** Replaces the system's time by the world's for code that a process runs. */
export function takeOverTime(): void {
  performance.now = () => current.getStore()?.world.nowMs ?? real.now();
  Date.now = () => {
    const process = current.getStore();
    return process ? 1_500_000_000_000 + process.world.nowMs + process.wallOffsetMs : real.wall();
  };
  // A new boot begins at zero. No two moments are the same.
  let count = 0n;
  process.hrtime.bigint = () => {
    const world = current.getStore()?.world;
    count += 1n;
    return world ? BigInt(Math.round(world.nowMs * 1e6)) * 1_000_000n + count : real.monotonic();
  };
  Math.random = () => current.getStore()?.world.random.next() ?? real.random();
  const realSleep = timers.setTimeout;
  const realTurn = timers.setImmediate;
  Object.assign(timers, {
    setTimeout: (delayMs: number) => current.getStore()?.wait(delayMs) ?? realSleep(delayMs),
    setImmediate: () => current.getStore()?.wait(0) ?? realTurn(),
  });
  syncBuiltinESMExports();
  globalThis.setInterval = ((run: () => void, delayMs: number) => {
    const process = current.getStore();
    if (process === undefined) return real.interval(run, delayMs);
    const timer: FakeTimer = { isStopped: false, unref: () => timer };
    const again = (): void => {
      if (timer.isStopped) return;
      run();
      process.later(delayMs, again);
    };
    process.later(delayMs, again);
    return timer;
  }) as unknown as typeof setInterval;
  globalThis.clearInterval = ((timer: FakeTimer | NodeJS.Timeout | undefined) => {
    if (timer !== undefined && 'isStopped' in timer) timer.isStopped = true;
    else real.clear(timer);
  }) as typeof clearInterval;
}
