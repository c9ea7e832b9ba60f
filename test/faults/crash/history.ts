// One seeded history: processes on one disk write, read, die, freeze and start again. In between it
// takes the images that a power loss may leave, and recovers from each of them and judges it.
import { ServiceError } from '../../../lib/errors.ts';
import { Log } from '../../../lib/ops/log.ts';
import { Registry } from '../../../lib/ops/metrics.ts';
import { parseCursor } from '../../../lib/room/cursor.ts';
import { FolderStore } from '../../../lib/store/folder/folder-store.ts';
import type { Receipt, Snapshot } from '../../../lib/store/store.ts';
import { findFaults, type Leniency, type Sent, type Shown } from './judge.ts';
import { type Loss, ModelDisk } from './model-disk.ts';
import { Random } from './random.ts';
import { type Call, type Fault, type Lie, type Process, runTicks, World } from './world.ts';

/** Where the rooms are in every world. */
export const FOLDER = '/data/rooms';

/** For so long a writer tries to truncate what it could not sync. */
const CUT_BACK_MS = 1000;

const ROOMS = ['a', 'b', 'Tea & Cake'];
const ERRNOS = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EROFS', 'EINTR', 'EACCES'];

/** A store of this source or of a changed copy of it. */
export type StoreClass = typeof FolderStore;

/** What a history is made of. */
export interface HistoryOptions {
  readonly seed: number;
  readonly steps?: number;
  /** How many images are recovered from, at most. */
  readonly images?: number;
  readonly lies?: readonly Lie[];
  readonly Store?: StoreClass;
  readonly onTrace?: (text: string) => void;
}

/** What a history gave. */
export interface HistoryResult {
  readonly faults: string[];
  readonly counts: Record<
    'sent' | 'acknowledged' | 'images' | 'killed' | 'frozen' | 'failed',
    number
  >;
}

interface Member {
  readonly process: Process;
  readonly store: FolderStore;
}

/** A message, and those who send it: copies of it may be on their way at once. */
interface Own extends Sent {
  readonly waitingFor: Set<Attempt>;
  /** Whether an attempt of it ended without an answer. */
  isUnknown: boolean;
}

interface Attempt {
  readonly process: Process;
  readonly sentAtMs: number;
}

/** With this cursor each message of a history can be repeated, as no two are the same. */
const BEGINNING = { epoch: undefined, offset: 0 };

interface Image {
  readonly why: string;
  readonly disk: ModelDisk;
  readonly sent: Sent[];
  readonly shown: Map<string, Shown>;
  readonly leniency: Leniency;
}

/** Runs one history to its end, or to its first fault. */
export async function runHistory(options: HistoryOptions): Promise<HistoryResult> {
  const history = new History(options);
  await history.run();
  return { faults: history.faults, counts: history.counts };
}

class History {
  readonly faults: string[] = [];
  readonly counts = { sent: 0, acknowledged: 0, images: 0, killed: 0, frozen: 0, failed: 0 };
  readonly #options: HistoryOptions;
  readonly #random: Random;
  readonly #world: World;
  readonly #members: Member[] = [];
  readonly #sent: Own[] = [];
  readonly #shown = new Map<string, Shown>();
  readonly #images: Image[] = [];
  readonly #can: { die: boolean; freeze: boolean; fail: number };
  readonly #roomCount: number;
  #waiting = 0;
  #isUnsure = false;
  #mayVanish = false;
  #isOver = false;
  #hadStump = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const random = this.#random;
    this.#world = new World(makeDisk(random.chance(0.8)), random);
    this.#world.lies = new Set(options.lies);
    this.#world.hasLinks = options.seed % 4 !== 0;
    this.#world.onCall = (call) => this.#onCall(call);
    this.#can = {
      die: random.chance(0.5),
      freeze: random.chance(0.4),
      fail: random.chance(0.3) ? 0.004 + 0.03 * random.next() : 0,
    };
    this.#roomCount = 1 + random.below(ROOMS.length);
  }

  async run(): Promise<void> {
    const { steps = 80 } = this.#options;
    const count = 1 + this.#random.below(3);
    for (let n = 0; n < count; n += 1) this.#start();
    for (let n = 0; n < steps && this.faults.length === 0; n += 1) await this.#step();
    await this.#finish();
    for (const image of this.#images) {
      if (this.faults.length > 0) return;
      await this.#recover(image);
    }
  }

  #trace(text: string): void {
    // An owner's name is random, and no part of the history.
    const named = text.replace(/[0-9a-f]{16}(-\d+\.own)/, 'owner$1');
    this.#options.onTrace?.(`${this.#world.nowMs.toFixed(1)} ${named}`);
  }

  #fault(text: string): void {
    this.#trace(`FAULT ${text}`);
    this.faults.push(text);
  }

  #start(): void {
    const process = this.#world.spawn();
    process.wallOffsetMs = this.#random.below(2_000_000) - 1_000_000;
    try {
      const store = openStore(process, this.#options.Store);
      this.#members.push({ process, store });
      this.#trace(`${process.name} starts`);
    } catch (error) {
      // A service that can't open its folder ends with code 2 and is started again.
      if (!process.isDead && !isInjected(error)) this.#fault(`start: ${error}`);
      process.die();
    }
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const alive = this.#members.filter(({ process }) => !process.isDead);
    const awake = alive.filter(({ process }) => !process.isFrozen);
    if (awake.length === 0) this.#start();
    else if (random.chance(0.35) && this.#waiting < 12) this.#send(random.pick(awake));
    else if (random.chance(0.3)) void this.#read(random.pick(awake));
    else if (this.#can.die && random.chance(0.06)) this.#doom(random.pick(alive));
    else if (this.#can.freeze && random.chance(0.08)) this.#freeze(random.pick(alive));
    else if (random.chance(0.03) && alive.length < 4) this.#start();
    else if (random.chance(0.02))
      random.pick(alive).process.wallOffsetMs += 3_600_000 * (random.next() - 0.5);
    else for (let n = random.below(12); n >= 0; n -= 1) await this.#world.step();
    await runTicks();
  }

  #doom({ process }: Member): void {
    process.callsLeft = this.#random.below(12);
    this.#trace(`${process.name} is to die`);
  }

  #freeze({ process }: Member): void {
    process.isFrozen = !process.isFrozen;
    if (process.isFrozen) this.counts.frozen += 1;
    else process.thawedAtMs = this.#world.nowMs;
    this.#trace(`${process.name} ${process.isFrozen ? 'freezes' : 'goes on'}`);
  }

  /** Sends a message, or one again that was sent before: whatever became of it, it is there once. */
  #send({ process, store }: Member): void {
    const isRepeat = this.#sent.length > 0 && this.#random.chance(0.25);
    const one = isRepeat ? this.#random.pick(this.#sent) : this.#make();
    const { room, message } = one;
    const attempt = { process, sentAtMs: this.#world.nowMs };
    one.waitingFor.add(attempt);
    if (one.line === undefined) one.fate = 'waiting';
    this.#waiting += 1;
    this.counts.sent += 1;
    const verb = isRepeat ? 'repeats' : 'sends';
    this.#trace(`${process.name} ${verb} ${message.slice(0, 12)} to ${room}`);
    process
      .run(() => store.append(room, { username: 'user', message }, BEGINNING))
      .then(
        (receipt) => this.#acknowledge(attempt, one, receipt),
        (error) => this.#refuse(attempt, one, error),
      );
  }

  #make(): Own {
    const room = ROOMS[this.#random.below(this.#roomCount)]!;
    const message = `<${this.#options.seed}.${this.#sent.length}>${'x'.repeat(this.#random.below(60))}`;
    const rest = { waitingFor: new Set<Attempt>(), isUnknown: false };
    const one: Own = { room, message, fate: 'waiting', ...rest };
    this.#sent.push(one);
    return one;
  }

  /** Settles what is known of a message once an attempt of it has ended. */
  #conclude(one: Own, attempt: Attempt, isUnknown: boolean): void {
    this.#waiting -= 1;
    one.waitingFor.delete(attempt);
    one.isUnknown ||= isUnknown;
    one.hasFailed ||= one.line === undefined;
    if (one.line !== undefined) one.fate = 'acknowledged';
    else if (one.waitingFor.size > 0) one.fate = 'waiting';
    else one.fate = one.isUnknown ? 'unknown' : 'refused';
  }

  #acknowledge(attempt: Attempt, one: Own, { line, cursor }: Receipt): void {
    const { process } = attempt;
    if (process.isDead) {
      this.#conclude(one, attempt, true);
      return;
    }
    const { epoch, offset } = parseCursor(cursor)!;
    if (one.line !== undefined && (one.end !== offset || one.line.toString() !== line)) {
      this.#fault(`${one.message} has two receipts, at ${one.end} and at ${offset}`);
    }
    one.line = Buffer.from(line);
    Object.assign(one, { epoch, end: offset });
    this.#conclude(one, attempt, false);
    this.counts.acknowledged += 1;
    this.#trace(`${process.name} acknowledges ${one.message.slice(0, 12)} at ${offset}`);
    this.#takeImage('after an answer', 0.3);
  }

  #refuse(attempt: Attempt, one: Own, error: unknown): void {
    const { process } = attempt;
    if (process.isDead) {
      this.#conclude(one, attempt, true);
      this.#hadStump = true;
      return;
    }
    // It was frozen during a sync, and that sync failed: whoever broke its lock meanwhile has made
    // its lines durable, and it can't tell (docs/reliability.md).
    const isBeyondIt =
      process.failedSyncAtMs >= process.thawedAtMs && process.thawedAtMs > attempt.sentAtMs;
    this.#conclude(one, attempt, isBeyondIt);
    this.#trace(`${process.name} refuses ${one.message.slice(0, 12)}: ${error}`);
    if (!(error instanceof ServiceError)) this.#fault(`append rejects with ${error}`);
    else if (this.#can.fail === 0 && error.code !== 'busy' && !this.#can.freeze && !this.#can.die) {
      this.#fault(`refused without a reason: ${error.message}`);
    }
  }

  /** A read shows all that was acknowledged or shown before it began. */
  async #read({ process, store }: Member): Promise<void> {
    const room = ROOMS[this.#random.below(this.#roomCount)]!;
    const known = this.#sent.filter((one) => one.fate === 'acknowledged' && one.room === room);
    const shownBefore = this.#shown.get(room)?.text ?? Buffer.alloc(0);
    let snapshot: Snapshot;
    try {
      snapshot = await process.run(() => store.snapshot(room));
    } catch (error) {
      if (process.isDead || (this.#can.fail > 0 && error instanceof ServiceError)) return;
      this.#fault(`snapshot rejects with ${error}`);
      return;
    }
    if (process.isDead) return;
    this.#trace(`${process.name} shows ${snapshot.completeBytes} of ${room}`);
    const text = snapshot.tail.subarray(0, snapshot.completeBytes);
    for (const fault of findFaults(room, text, known, anything)) {
      if (!fault.startsWith('a line of nobody')) this.#fault(`a read: ${fault}`);
    }
    if (!text.subarray(0, shownBefore.length).equals(shownBefore)) {
      this.#fault(`a read of ${room} lacks what was shown before it`);
    }
    if (text.length > (this.#shown.get(room)?.text.length ?? -1)) {
      this.#shown.set(room, { text: Buffer.from(text), epoch: snapshot.epoch });
    }
  }

  #onCall(call: Call): Fault | undefined {
    const { process, name } = call;
    const isChange = /^(write|handle.write|ftruncate|unlink|fdatasync|handle.sync|fsync)/.test(
      name,
    );
    if (isChange || name === 'openSync') this.#takeImage(`before ${process.name}'s ${name}`, 0.05);
    process.callsLeft -= 1;
    if (process.callsLeft < 0) {
      this.counts.killed += 1;
      this.#hadStump = true;
      if (this.#world.nowMs - process.failedSyncAtMs < CUT_BACK_MS) this.#mayVanish = true;
      this.#trace(`${process.name} dies at ${name} ${call.path}`);
      return { dies: this.#random.pick(['before', 'after']) };
    }
    if (!this.#random.chance(this.#can.fail)) return undefined;
    this.counts.failed += 1;
    if (/^(fdatasync|handle.sync)$/.test(name)) process.failedSyncAtMs = this.#world.nowMs;
    const isShort = name === 'writeSync' && this.#random.chance(0.4);
    const picked = this.#random.pick(ERRNOS);
    // A folder that a process may not sync is left to its administrator.
    const isFolderSync = name === 'open' || name === 'handle.sync';
    const errno = isFolderSync && picked === 'EACCES' ? 'EIO' : picked;
    this.#trace(`${process.name}'s ${name} ${call.path} fails: ${isShort ? 'short' : errno}`);
    if (
      /sync$|sync|ftruncate/.test(name) &&
      !/^(open|close|stat|fstat|exists|read|write)/.test(name)
    ) {
      this.#isUnsure = true;
    }
    return isShort ? { isShort } : { errno };
  }

  #takeImage(why: string, probability: number): void {
    const { images = 24 } = this.#options;
    if (this.#isOver || this.#images.length >= images || !this.#random.chance(probability)) return;
    const loss = this.#random.pick<Loss>(['drop', 'mix', 'mix', 'mix', 'keep']);
    this.#trace(`image ${this.#images.length} (${loss}) ${why}`);
    this.#images.push({
      why: `${loss}, ${why}`,
      disk: this.#world.disk.crash(loss, this.#random),
      sent: this.#sent.map((one) => ({
        ...one,
        fate: one.fate === 'waiting' ? 'unknown' : one.fate,
      })),
      shown: new Map(this.#shown),
      leniency: {
        allowStumps: true,
        allowRefused: this.#isUnsure,
        allowVanished: this.#mayVanish,
      },
    });
  }

  /** Everybody goes on until nothing is waited for; then the rooms are judged as they stand. */
  async #finish(): Promise<void> {
    for (const { process } of this.#members) {
      if (process.isFrozen) process.thawedAtMs = this.#world.nowMs;
      process.isFrozen = false;
    }
    const endMs = this.#world.nowMs + 60_000;
    for (let n = 0; n < 50_000 && this.#waiting > 0 && this.faults.length === 0; n += 1) {
      if (this.#members.every(({ process }) => process.isDead)) break;
      await this.#world.step();
      const waiting = this.#sent.find(({ waitingFor }) =>
        [...waitingFor].some(({ process }) => !process.isDead),
      );
      if (waiting === undefined) break;
      if (this.#world.nowMs > endMs) this.#fault(`${waiting.message} is never answered`);
    }
    for (const one of this.#sent) if (one.fate === 'waiting') one.fate = 'unknown';
    if (this.faults.length > 0) return;
    this.#can.fail = 0;
    this.#isOver = true;
    const leniency = { allowStumps: this.#hadStump, allowRefused: false, allowVanished: false };
    await this.#judgeRooms(this.#world, this.#sent, this.#shown, leniency, 'in the end', true);
  }

  async #recover(image: Image): Promise<void> {
    this.counts.images += 1;
    const world = new World(image.disk, this.#random);
    await this.#judgeRooms(world, image.sent, image.shown, image.leniency, image.why, false);
  }

  /** A new process shows everything, takes one more message, and shows that too. */
  async #judgeRooms(
    world: World,
    sent: Sent[],
    shown: Map<string, Shown>,
    leniency: Leniency,
    why: string,
    isSameBoot: boolean,
  ): Promise<void> {
    const process = world.spawn();
    const store = openStore(process, this.#options.Store);
    const fault = (text: string): void => this.#fault(`${why}: ${text}`);
    for (const room of ROOMS.slice(0, this.#roomCount)) {
      const before = await see(world, process, store, room);
      if (before === undefined) {
        fault(`${room} can't be read`);
        continue;
      }
      const known = sent.filter((one) => one.room === room);
      for (const text of findFaults(room, before.text, known, leniency)) fault(`${room}: ${text}`);
      const seen = shown.get(room)?.text ?? Buffer.alloc(0);
      const isAsShown = before.text.subarray(0, seen.length).equals(seen);
      if (!isAsShown && !leniency.allowVanished) {
        fault(`${room} lacks what readers were shown`);
      }
      await this.#repeatAll(world, process, store, known, leniency, fault);
      const message = `<${this.#options.seed}.${isSameBoot ? 'end' : 'again'}.${room.length}>`;
      const receipt = await waitFor(world, () =>
        process.run(() => store.append(room, { username: 'user', message })),
      );
      if (receipt === undefined) {
        fault(`${room} takes no message`);
        continue;
      }
      const after = await see(world, process, store, room);
      const { offset } = parseCursor(receipt.cursor)!;
      const one: Sent = {
        room,
        message,
        fate: 'acknowledged',
        line: Buffer.from(receipt.line),
        end: offset,
      };
      for (const text of findFaults(
        room,
        after?.text ?? Buffer.alloc(0),
        [...known, one],
        leniency,
      )) {
        fault(`${room} after one more: ${text}`);
      }
    }
    process.run(() => void store.close());
    process.die();
  }

  /** Whoever was left without an answer sends again, and then has one, as has whoever had it before. */
  async #repeatAll(
    world: World,
    process: Process,
    store: FolderStore,
    known: readonly Sent[],
    leniency: Leniency,
    fault: (text: string) => void,
  ): Promise<void> {
    for (const one of known) {
      const { room, message, fate } = one;
      const receipt = await waitFor(world, () =>
        process.run(() => store.append(room, { username: 'user', message }, BEGINNING)),
      );
      if (receipt === undefined) {
        fault(`${room} takes no repeat of ${message}`);
        continue;
      }
      const line = Buffer.from(receipt.line);
      const { offset: end } = parseCursor(receipt.cursor)!;
      if (fate === 'acknowledged' && (end !== one.end || !line.equals(one.line!))) {
        fault(`${message} is repeated at ${end}, and was acknowledged at ${one.end}`);
      }
      if (fate === 'refused' && receipt.isRepeat && !leniency.allowRefused) {
        fault(`${message} was refused, and its repeat finds it`);
      }
      const hasFailed = one.hasFailed || fate !== 'acknowledged';
      Object.assign(one, { fate: 'acknowledged', line, end, hasFailed });
    }
  }
}

const anything: Leniency = { allowStumps: true, allowRefused: true, allowVanished: true };

/** What a reader that comes now is shown. */
async function see(world: World, process: Process, store: FolderStore, room: string) {
  const snapshot = await waitFor(world, async () => process.run(() => store.snapshot(room)));
  return snapshot && { text: Buffer.from(snapshot.tail), epoch: snapshot.epoch };
}

/** Lets the world go on until a promise is kept; `undefined` where it is broken or never kept. */
async function waitFor<T>(world: World, ask: () => Promise<T>): Promise<T | undefined> {
  return (await attempt(world, ask))?.value;
}

/** Lets the world go on until a promise is kept or broken; `undefined` where it is neither. */
export async function attempt<T>(
  world: World,
  ask: () => T | Promise<T>,
): Promise<{ value?: T; error?: unknown } | undefined> {
  let given: { value?: T; error?: unknown } | undefined;
  (async () => ask())().then(
    (value) => {
      given = { value };
    },
    (error) => {
      given = { error };
    },
  );
  await runTicks();
  const endMs = world.nowMs + 30_000;
  while (given === undefined && world.nowMs < endMs) if (!(await world.step())) break;
  return given;
}

/** Opens a store in a process of a world. */
export function openStore(process: Process, Store: StoreClass = FolderStore): FolderStore {
  const log = new Log('error', () => undefined);
  const options = { folder: FOLDER, durable: true, log, registry: new Registry() };
  return process.run(() => new Store({ ...options, disk: process.disk }));
}

/** A disk with the rooms' folder on it, durable, or only the folder above. */
export function makeDisk(hasFolder: boolean): ModelDisk {
  const disk = new ModelDisk();
  for (const path of hasFolder ? ['/data', '/data/rooms', '/data/rooms/.locks'] : ['/data']) {
    disk.create(path, true);
  }
  const inodes = [disk.root, disk.find('/data'), disk.find(FOLDER)];
  for (const inode of inodes) if (inode) disk.syncEntries(inode);
  return disk;
}

function isInjected(error: unknown): boolean {
  return /injected/.test(String((error as Error).message));
}
