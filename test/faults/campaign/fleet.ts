// The replicas of a campaign: real processes on one folder that are killed, stopped, continued and
// started again, some of them with clocks that are off and jump.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import { pause, type Server, startServer } from '../../support/server.ts';
import type { Random } from '../crash/random.ts';

export interface FleetOptions {
  readonly store: string;
  readonly random: Random;
  readonly count: number;
  /** The script of the replicas; the built service by default. */
  readonly script?: string;
  /** How often a replica stands still for long in the middle of a file call; in a million. */
  readonly longPerMillion?: number;
}

interface Slot {
  server: Server;
  /** Whether it may be asked; it may hang all the same. */
  isUp: boolean;
  isStopped: boolean;
  readonly clock: string | undefined;
}

export class Fleet {
  readonly slots: Slot[] = [];
  readonly counts = { kills: 0, stops: 0, drains: 0, jumps: 0 };
  /** What no replica may do: end by itself, or log a fault. */
  readonly faults: string[] = [];
  readonly #options: FleetOptions;
  readonly #faketime = findFaketime();
  readonly #clocks = makeTempFolder('clocks');
  #isBusy = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Whether some replicas have clocks that are off. */
  get hasClocks(): boolean {
    return this.#faketime !== undefined;
  }

  async start(): Promise<void> {
    for (let n = 0; n < this.#options.count; n += 1) {
      const isOff = n % 2 === 1 && this.#faketime !== undefined;
      const clock = isOff ? join(this.#clocks, `${n}`) : undefined;
      if (clock !== undefined) this.#setClock(clock);
      const server = await this.#spawn(n, clock);
      this.slots.push({ server, isUp: true, isStopped: false, clock });
    }
  }

  /** A replica that may be asked. */
  pick(): Server {
    const up = this.slots.filter(({ isUp }) => isUp);
    return this.#options.random.pick(up.length > 0 ? up : this.slots).server;
  }

  /** Does one thing to one replica. */
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

  /** Resolves when nothing is being done to any of them, and all of them serve. */
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
    // Sometimes it is killed while it stands still, as by an orchestrator.
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
    // Clients keep idle connections open; whoever runs it does not wait for those.
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
    const { store, script, longPerMillion = 0 } = this.#options;
    const chaos = pathToFileURL(
      join(projectFolder, '.build', 'test', 'faults', 'campaign', 'chaos.js'),
    );
    const env: Record<string, string> = { CHAT_SERVER_NAME: `replica-${n}`, CHAT_LOG: 'warn' };
    env.CHAT_STATIC = join(projectFolder, 'static');
    if (n > 0) {
      env.NODE_OPTIONS = `--import=${chaos.href}`;
      env.CHAOS_LONG = String(longPerMillion);
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

/** Where libfaketime is, which Debian's package of that name has. */
export function findFaketime(): string | undefined {
  const root = '/usr/lib';
  if (!existsSync(root)) return undefined;
  const paths = readdirSync(root).map((name) => join(root, name, 'faketime', 'libfaketime.so.1'));
  return paths.find((path) => existsSync(path));
}
