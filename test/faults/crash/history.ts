// One seeded history: processes on one disk write, read, die, freeze and start again. In between it
// takes the images that a power loss may leave, and recovers from each of them and judges it.
import { ServiceError } from '../../../lib/errors.ts';
import { Log } from '../../../lib/ops/log.ts';
import { Registry } from '../../../lib/ops/metrics.ts';
import { parseCursor } from '../../../lib/room/cursor.ts';
import { toFileStem } from '../../../lib/room/name.ts';
import { FolderStore, type FolderStoreOptions } from '../../../lib/store/folder/folder-store.ts';
import { toRoomFile } from '../../../lib/store/folder/room-file.ts';
import type { Receipt, Snapshot } from '../../../lib/store/store.ts';
import { touchByHand } from './hands.ts';
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
    'sent' | 'acknowledged' | 'images' | 'killed' | 'frozen' | 'failed' | 'touched' | 'kept',
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
  /** The rooms that somebody edited by hand, and those to which somebody at least added something. */
  readonly edited: Set<string>;
  readonly touched: Set<string>;
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
  readonly counts = {
    ...{ sent: 0, acknowledged: 0, images: 0, killed: 0, frozen: 0, failed: 0 },
    ...{ touched: 0, kept: 0 },
  };
  readonly #options: HistoryOptions;
  readonly #random: Random;
  readonly #world: World;
  readonly #members: Member[] = [];
  readonly #sent: Own[] = [];
  readonly #shown = new Map<string, Shown>();
  readonly #images: Image[] = [];
  readonly #edited = new Set<string>();
  /** The rooms to which somebody at least added something by hand. */
  readonly #touched = new Set<string>();
  readonly #limits: FolderStoreOptions['journalLimits'];
  readonly #can: { die: boolean; freeze: boolean; fail: number; touch: number; stick: number };
  readonly #roomCount: number;
  #waiting = 0;
  #stuckUntilMs = 0;
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
      touch: random.chance(0.4) ? 0.1 * random.next() : 0,
      stick: random.chance(0.2) ? 0.02 : 0,
    };
    // Small, so that all of a journal's life happens in a short history.
    this.#limits = {
      ...{ growBytes: 4096, maxBytes: random.pick([1, 2048, 8192, 1 << 20]) },
      ...{ idleMs: random.pick([30, 1000]), maxAgeMs: random.pick([100, 15_000]) },
      ...{ pauseMs: random.pick([50, 5000]), quietMs: random.pick([500, 60_000]) },
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
    // Some names are random, and no part of the history.
    const named = text.replace(/[0-9a-f]{16,32}/, 'random');
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
      const store = openStore(process, this.#options.Store, this.#limits);
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
    else if (random.chance(this.#can.touch)) this.#touch(this.#pickRoom());
    else if (random.chance(0.03)) await this.#world.idle(random.below(3000));
    else if (random.chance(0.02))
      random.pick(alive).process.wallOffsetMs += 3_600_000 * (random.next() - 0.5);
    else for (let n = random.below(12); n >= 0; n -= 1) await this.#world.step();
    await runTicks();
  }

  #pickRoom(): string {
    return ROOMS[this.#random.below(this.#roomCount)]!;
  }

  /** Somebody does something to a room's file by hand. */
  #touch(room: string, isBetweenCalls = false): void {
    const message = `<${this.#options.seed}.h${this.counts.touched}>${'x'.repeat(this.#random.below(60))}`;
    const { disk } = this.#world;
    const touch = touchByHand(
      disk,
      toRoomFile(FOLDER, room),
      message,
      isBetweenCalls,
      this.#random,
    );
    if (touch === undefined) return;
    this.counts.touched += 1;
    this.#hadStump = true;
    this.#touched.add(room);
    this.#trace(`somebody does ${touch.what} to ${room}`);
    if (touch.added !== undefined) {
      const rest = { waitingFor: new Set<Attempt>(), isUnknown: true };
      this.#sent.push({ room, message, fate: 'unknown', ...rest });
    }
    for (const one of this.#sent) {
      if (one.room === room && one.fate === 'waiting') one.mayStay = true;
    }
    if (!touch.isEdit) return;
    this.#edited.add(room);
    this.#shown.delete(room);
    for (const one of this.#sent) {
      if (one.room !== room) continue;
      if (one.fate === 'waiting') one.isTouched = true;
      if (one.fate === 'unknown' || one.fate === 'removed') one.fate = 'touched';
      if (one.fate !== 'acknowledged') continue;
      const at = touch.after.indexOf(one.line!);
      if (touch.isDurable && at >= 0) one.end = at + one.line!.length;
      else if (touch.isDurable && touch.before.includes(one.line!) && !touch.isCut)
        one.fate = 'removed';
      else one.fate = 'touched';
    }
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
    // Whether a message is there that somebody may have taken out, nobody can say.
    const canRepeat = this.#can.touch === 0;
    const isRepeat = canRepeat && this.#sent.length > 0 && this.#random.chance(0.25);
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
      .run(() =>
        store.append(room, { username: 'user', message }, canRepeat ? BEGINNING : undefined),
      )
      .then(
        (receipt) => this.#acknowledge(attempt, one, receipt),
        (error) => this.#refuse(attempt, one, error),
      );
  }

  #make(): Own {
    const room = this.#pickRoom();
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
    if (one.isTouched) one.fate = 'touched';
    else if (one.line !== undefined) one.fate = 'acknowledged';
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
    this.#conclude(one, attempt, isBeyondIt || one.mayStay === true);
    this.#trace(`${process.name} refuses ${one.message.slice(0, 12)}: ${error}`);
    if (!(error instanceof ServiceError)) this.#fault(`append rejects with ${error}`);
    else if (
      this.#can.touch + this.#can.stick + this.#can.fail === 0 &&
      error.code !== 'busy' &&
      !this.#can.freeze &&
      !this.#can.die
    ) {
      this.#fault(`refused without a reason: ${error.message}`);
    }
  }

  /** A read shows all that was acknowledged or shown before it began. */
  async #read({ process, store }: Member): Promise<void> {
    const room = this.#pickRoom();
    const touchCount = this.counts.touched;
    const known = this.#sent.filter((one) => one.fate === 'acknowledged' && one.room === room);
    const shownBefore = this.#shown.get(room)?.text ?? Buffer.alloc(0);
    let snapshot: Snapshot;
    try {
      snapshot = await process.run(() => store.snapshot(room));
    } catch (error) {
      if (process.isDead) return;
      const mayFail = this.#can.fail + this.#can.touch + this.#can.stick > 0;
      if (mayFail && error instanceof ServiceError) return;
      this.#fault(`snapshot rejects with ${error}`);
      return;
    }
    if (process.isDead || touchCount !== this.counts.touched) return;
    this.#trace(`${process.name} shows ${snapshot.completeBytes} of ${room}`);
    // An edit in the middle of an append, or twice in a tick of the clock, may be shown a moment late.
    if (this.#edited.has(room)) return;
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
    const isChange = isChangingCall(name);
    if (this.#random.chance(this.#can.touch / 10)) this.#touch(this.#pickRoom(), true);
    if (isChange || name === 'openSync') this.#takeImage(`before ${process.name}'s ${name}`, 0.05);
    process.callsLeft -= 1;
    if (process.callsLeft < 0) {
      this.counts.killed += 1;
      this.#hadStump = true;
      if (this.#world.nowMs - process.failedSyncAtMs < CUT_BACK_MS) this.#mayVanish = true;
      this.#trace(`${process.name} dies at ${name} ${call.path}`);
      return { dies: this.#random.pick(['before', 'after']) };
    }
    if (this.#isStuck(call)) return { errno: 'EIO' };
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

  /** Now and then a room's state can't be read for so long that a message is refused that is on disk. */
  #isStuck({ name, path }: Call): boolean {
    if (name !== 'statSync' || !path.endsWith('.txt')) return false;
    if (this.#random.chance(this.#can.stick)) this.#stuckUntilMs = this.#world.nowMs + 2000;
    return this.#world.nowMs < this.#stuckUntilMs;
  }

  #takeImage(why: string, probability: number): void {
    const { images = 24 } = this.#options;
    if (this.#isOver || this.#images.length >= images || !this.#random.chance(probability)) return;
    const loss = this.#random.pick<Loss>(['drop', 'mix', 'mix', 'mix', 'keep']);
    this.#trace(`image ${this.#images.length} (${loss}) ${why}`);
    this.#images.push({
      why: `${loss}, ${why}`,
      disk: this.#world.disk.crash(loss, this.#random),
      sent: this.#sent.map(toKnown),
      shown: new Map(this.#shown),
      edited: new Set(this.#edited),
      touched: new Set(this.#touched),
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
    for (const one of this.#sent) Object.assign(one, toKnown(one));
    if (this.faults.length > 0) return;
    this.#can.fail = 0;
    this.#can.touch = 0;
    this.#can.stick = 0;
    this.#stuckUntilMs = 0;
    this.#isOver = true;
    const leniency = { allowStumps: this.#hadStump, allowRefused: false, allowVanished: false };
    const [disk, why] = [this.#world.disk, 'in the end'];
    const known = { sent: this.#sent, shown: this.#shown };
    const hands = { edited: this.#edited, touched: this.#touched };
    await this.#judgeRooms(this.#world, { why, disk, ...known, ...hands, leniency }, true);
  }

  /**
   * Starts processes on what a power loss left. The power may go again while they recover, or later, and
   * one of them may be killed.
   */
  async #recover(image: Image, depth = 0): Promise<void> {
    this.counts.images += 1;
    const random = this.#random;
    const world = new World(image.disk, random);
    world.hasLinks = this.#world.hasLinks;
    const losses: Image[] = [];
    const now = { ...image, sent: image.sent.map((one) => ({ ...one })) };
    const losePower = (when: string): void => {
      const disk = world.disk.crash(random.pick<Loss>(['drop', 'mix', 'keep']), random);
      losses.push({ ...now, disk, sent: now.sent.map(toKnown), why: `${image.why}, ${when}` });
    };
    let callsToLoss = depth < 2 && random.chance(0.3) ? random.below(150) : Number.NaN;
    this.#trace(`recovery of an image (${image.why})`);
    world.onCall = ({ process, name, path }) => {
      if (isChangingCall(name)) this.#trace(`  ${process.name} ${name} ${path}`);
      callsToLoss -= 1;
      if (callsToLoss === 0) losePower('again in recovery');
      process.callsLeft -= 1;
      if (process.callsLeft >= 0) return undefined;
      return { dies: random.pick(['before', 'after']) };
    };
    for (let others = random.chance(0.4) ? 1 + random.below(2) : 0; others > 0; others -= 1) {
      const process = world.spawn();
      if (random.chance(0.4)) process.callsLeft = random.below(100);
      try {
        openStore(process, this.#options.Store, this.#limits);
      } catch (error) {
        if (!process.isDead) this.#fault(`${image.why}: a second start: ${error}`);
      }
    }
    await this.#judgeRooms(world, now, false);
    if (depth < 2 && random.chance(0.3)) losePower('and again');
    for (const loss of losses) if (this.faults.length === 0) await this.#recover(loss, depth + 1);
  }

  /** A new process shows everything, takes one more message, and shows that too. */
  async #judgeRooms(world: World, image: Image, isSameBoot: boolean): Promise<void> {
    const process = world.spawn();
    const store = openStore(process, this.#options.Store, this.#limits);
    for (const room of ROOMS.slice(0, this.#roomCount)) {
      await this.#judgeRoom(world, { process, store }, room, image, isSameBoot);
    }
    if (!isSameBoot) return;
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
      // Until it is answered, nobody knows what a power loss leaves of it.
      if (fate !== 'acknowledged') one.fate = 'waiting';
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

  async #judgeRoom(
    world: World,
    { process, store }: Member,
    room: string,
    { why, sent, shown, edited, touched, leniency: usual }: Image,
    isSameBoot: boolean,
  ): Promise<void> {
    const fault = (text: string): void => this.#fault(`${why}: ${text}`);
    const before = await see(world, process, store, room);
    if (before === undefined) {
      fault(`${room} can't be read: ${toReason()}`);
      return;
    }
    const kept = readKept(world.disk, room);
    if (kept !== '') this.counts.kept += 1;
    const leniency = { ...usual, isEdited: edited.has(room), isTouched: touched.has(room) };
    if (!isSameBoot) Object.assign(leniency, { kept });
    for (const text of findFaults(room, before.text, sent, leniency)) fault(`${room}: ${text}`);
    const seen = shown.get(room)?.text ?? Buffer.alloc(0);
    const isAsShown = before.text.subarray(0, seen.length).equals(seen);
    // What a person adds and does not sync is shown, and nobody promises that it stays.
    const mayDiffer = leniency.allowVanished || (isSameBoot ? edited : touched).has(room);
    if (!isAsShown && !mayDiffer) {
      fault(`${room} lacks what readers were shown`);
    }
    if (!leniency.isTouched) {
      const known = sent.filter((one) => one.room === room);
      await this.#repeatAll(world, process, store, known, leniency, fault);
    }
    const message = `<${this.#options.seed}.${isSameBoot ? 'end' : 'again'}.${sent.length}>`;
    const one: Sent = { room, message, fate: 'waiting' };
    sent.push(one);
    const receipt = await waitFor(world, () =>
      process.run(() => store.append(room, { username: 'user', message })),
    );
    if (receipt === undefined) {
      fault(`${room} takes no message: ${toReason()}`);
      return;
    }
    const after = await see(world, process, store, room);
    const { offset: end } = parseCursor(receipt.cursor)!;
    Object.assign(one, { fate: 'acknowledged', line: Buffer.from(receipt.line), end });
    const text = after?.text ?? Buffer.alloc(0);
    for (const found of findFaults(room, text, sent, leniency)) {
      fault(`${room} after one more: ${found}`);
    }
  }
}

/** Whether a call changes the disk, or makes that sure. */
function isChangingCall(name: string): boolean {
  return /^(write|handle.write|ftruncate|unlink|fdatasync|handle.sync|fsync)/.test(name);
}

function toReason(): string {
  const { message, cause } = (lastError ?? { message: 'no answer' }) as Error;
  return cause instanceof Error ? `${message}: ${cause.stack?.slice(0, 900)}` : message;
}

/** What is known of a message when the power goes. */
function toKnown(one: Sent): Sent {
  if (one.fate !== 'waiting') return { ...one };
  return { ...one, fate: one.isTouched ? 'touched' : 'unknown' };
}

/** Reads what is kept beside a room. */
function readKept(disk: ModelDisk, room: string): string {
  const folder = disk.find(`${FOLDER}/.recovered`);
  const entries = [...(folder?.entries ?? [])];
  const own = entries.filter(([name]) => name.startsWith(`${toFileStem(room)}-`));
  return own.map(([, inode]) => inode.data.toString('utf8')).join('');
}

const anything: Leniency = { allowStumps: true, allowRefused: true, allowVanished: true };

/** What a reader that comes now is shown. */
async function see(world: World, process: Process, store: FolderStore, room: string) {
  const snapshot = await waitFor(world, async () => process.run(() => store.snapshot(room)));
  return snapshot && { text: Buffer.from(snapshot.tail), epoch: snapshot.epoch };
}

/** Why the last promise was broken. */
let lastError: unknown;

/** Lets the world go on until a promise is kept; `undefined` where it is broken or never kept. */
async function waitFor<T>(world: World, ask: () => Promise<T>): Promise<T | undefined> {
  const outcome = await attempt(world, ask);
  lastError = outcome?.error;
  return outcome?.value;
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
export function openStore(
  process: Process,
  Store: StoreClass = FolderStore,
  journalLimits: FolderStoreOptions['journalLimits'] = {},
): FolderStore {
  const log = new Log('error', () => undefined);
  const options = { folder: FOLDER, durable: true, log, registry: new Registry(), journalLimits };
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
