// The replicas of a campaign: real processes on one folder that are killed, stopped, continued and
// restarted. Some of them have wrong clocks that jump.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import { pause, type Server, startServer } from '../../support/server.ts';
import type { Random } from '../crash/random.ts';

/** How a fleet is started. */
export interface FleetOptions {
  readonly store: string;
  readonly random: Random;
  readonly count: number;
  /** The script of the replicas; the built service by default. */
  readonly script?: string;
  /** How many file calls in a million last longer than 2 s. */
  readonly slowCallsPerMillion?: number;
}

interface Slot {
  server: Server;
  /** Whether clients may send requests to it; it may hang all the same. */
  isUp: boolean;
  readonly clock: string | undefined;
}

/** Replicas that serve one folder and are disturbed. */
export class Fleet {
  readonly slots: Slot[] = [];
  readonly counts = { kills: 0, stops: 0, drains: 0, jumps: 0 };
  /** Replicas that ended by themselves or logged a fault, as sentences. */
  readonly faults: string[] = [];
  readonly #options: FleetOptions;
  readonly #faketime = findFaketime();
  readonly #clocks = makeTempFolder('clocks');
  #isBusy = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Whether some replicas have wrong clocks. */
  get hasClocks(): boolean {
    return this.#faketime !== undefined;
  }

  async start(): Promise<void> {
    for (let n = 0; n < this.#options.count; n += 1) {
      const isWrong = n % 2 === 1 && this.#faketime !== undefined;
      const clock = isWrong ? join(this.#clocks, `${n}`) : undefined;
      if (clock !== undefined) this.#setClock(clock);
      const server = await this.#spawn(n, clock);
      this.slots.push({ server, isUp: true, clock });
    }
  }

  /** Picks a replica for the next request. */
  pick(): Server {
    const up = this.slots.filter(({ isUp }) => isUp);
    return this.#options.random.pick(up.length > 0 ? up : this.slots).server;
  }

  /** Kills, stops or drains one replica, or moves its clock. */
  async disturb(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const { random } = this.#options;
    const slot = random.pick(this.slots);
    const chance = random.next();
    if (slot.clock !== undefined && chance < 0.2) {
      this.counts.jumps += 1;
      this.#setClock(slot.clock);
    } else if (chance < 0.6) await this.#kill(slot);
    else if (chance < 0.9) await this.#stop(slot);
    else await this.#drain(slot);
    this.#isBusy = false;
  }

  /** Resolves when no disturbance is going on and every replica serves. */
  async calm(): Promise<void> {
    while (this.#isBusy) await pause(20);
    for (const [n, slot] of this.slots.entries()) {
      if (slot.server.child.exitCode === null && slot.server.child.signalCode === null) continue;
      this.faults.push(`replica ${n} ended by itself: ${slot.server.stderr.join(' ')}`);
      slot.server = await this.#spawn(n, slot.clock);
    }
    for (const { server } of this.slots) this.#readLog(server);
  }

  async end(): Promise<void> {
    await this.calm();
    await Promise.all(this.slots.map(({ server }) => server.kill()));
  }

  async #kill(slot: Slot): Promise<void> {
    this.counts.kills += 1;
    // An orchestrator may kill a process that is stopped.
    if (this.#options.random.chance(0.2)) slot.server.signal('SIGSTOP');
    slot.isUp = false;
    await slot.server.kill();
    this.#readLog(slot.server);
    await this.#respawn(slot);
  }

  async #drain(slot: Slot): Promise<void> {
    this.counts.drains += 1;
    slot.isUp = false;
    slot.server.signal('SIGTERM');
    // Clients keep idle connections open, for which an operator does not wait.
    await pause(300);
    await slot.server.kill();
    this.#readLog(slot.server);
    await this.#respawn(slot);
  }

  async #stop(slot: Slot): Promise<void> {
    this.counts.stops += 1;
    slot.server.signal('SIGSTOP');
    const { random } = this.#options;
    await pause(random.chance(0.3) ? 2100 + random.below(1500) : random.below(300));
    slot.server.signal('SIGCONT');
  }

  async #respawn(slot: Slot): Promise<void> {
    slot.server = await this.#spawn(this.slots.indexOf(slot), slot.clock);
    slot.isUp = true;
  }

  #spawn(n: number, clock: string | undefined): Promise<Server> {
    const { store, script, slowCallsPerMillion = 0 } = this.#options;
    const slowCalls = pathToFileURL(
      join(projectFolder, '.build', 'test', 'faults', 'campaign', 'slow-calls.js'),
    );
    const env: Record<string, string> = { CHAT_SERVER_NAME: `replica-${n}`, CHAT_LOG: 'warn' };
    env.CHAT_STATIC = join(projectFolder, 'static');
    if (n > 0) {
      env.NODE_OPTIONS = `--import=${slowCalls.href}`;
      env.SLOW_CALLS_PER_MILLION = String(slowCallsPerMillion);
    }
    if (clock !== undefined) {
      env.LD_PRELOAD = this.#faketime!;
      env.FAKETIME_TIMESTAMP_FILE = clock;
      env.FAKETIME_CACHE_DURATION = '1';
      env.FAKETIME_DONT_FAKE_MONOTONIC = '1';
      env.NO_FAKE_STAT = '1';
    }
    return startServer({ store, env, ...(script === undefined ? {} : { script }) });
  }

  #setClock(file: string): void {
    const hours = this.#options.random.below(200) - 100;
    writeFileSync(file, `${hours < 0 ? '' : '+'}${hours}h\n`);
  }

  #readLog(server: Server): void {
    for (const line of server.stdout.splice(0)) {
      if (/ error a request failed| error live/.test(line)) this.faults.push(`log: ${line}`);
    }
    for (const line of server.stderr.splice(0)) this.faults.push(`standard error: ${line}`);
  }
}

/** Finds the library of Debian's package libfaketime. */
export function findFaketime(): string | undefined {
  const root = '/usr/lib';
  if (!existsSync(root)) return undefined;
  const paths = readdirSync(root).map((name) => join(root, name, 'faketime', 'libfaketime.so.1'));
  return paths.find((path) => existsSync(path));
}
