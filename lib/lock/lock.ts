/**
 * The advisory lock of a room (contract §9): a file name that is made where there is none, which any
 * number of processes, containers and hosts on one folder honour (lock-pool.ts has how).
 *
 * The lock's text tells the room's size before its owner's write, the base (lock-text.ts). What lies
 * beyond it is not committed yet, so readers stop there.
 *
 * A live owner touches a lock that it holds for long. A contender that saw the very same file, text
 * and times, for STALE_MS by its own monotonic clock, judges the owner dead: no two clocks are
 * compared and no process id is believed. It removes the lock inside a second exclusive file whose
 * name is made from the dead lock's identity, and judges once more in there: as that identity never
 * returns, a contender that comes late finds nothing to remove, and nobody removes a living lock.
 *
 * What this does not detect: a process that stands still for longer than STALE_MS just between a look
 * and the deed after it. An owner then writes without the lock when it wakes, or removes the lock of
 * the next owner; a breaker removes a living lock. The append copes (see
 * append.ts): whole batches in append mode, and a look at the file before anything is acknowledged.
 */
import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Disk, realDisk } from '../disk/disk.ts';
import { createExclusive, removeIfThere, tryClose } from '../disk/files.ts';
import { ServiceError } from '../errors.ts';
import { type HeldLock, LockFile, TOUCH_MS } from './held-lock.ts';
import { LockInodes } from './lock-inodes.ts';
import { formatLockRecord, type LockRecord, readLockRecord } from './lock-record.ts';
import { StaleLockWatch } from './stale-lock.ts';

/** How long an append waits for a lock: several dead owners in a row, then it is refused. */
export const WAIT_MS = 10_000;

/** A guard or a probe that is older than this belongs to nobody. */
const LEFTOVER_MS = 24 * 3_600_000;

/** How often each leftover lock is read during recovery. */
const RECOVER_POLL_MS = 50;

/** The ending of a lock's file name. */
const ENDING = '.lock';

const NO_THROW = { throwIfNoEntry: false } as const;

/** What a lock folder calls back. */
export interface LockEvents {
  /** A lock was taken after a wait of so many milliseconds. */
  onAcquire(waitMs: number): void;
  /**
   * A dead owner's lock is about to be removed: the last moment to make durable what it left beyond
   * the base. Where this throws, the lock stays.
   */
  onBreak(name: string, committedBytes: number | undefined): void;
}

/** The locks of one folder, as this process takes them. */
export class LockFolder {
  readonly #folder: string;
  readonly #events: LockEvents;
  readonly #disk: Disk;
  readonly #owner = randomBytes(8).toString('hex');
  readonly #pool: LockInodes;
  readonly #held = new Set<LockFile>();
  readonly #touch: NodeJS.Timeout;
  #taken = 0;

  /**
   * @param folder an existing folder of its own for the lock files
   * @param events what to call back
   */
  constructor(folder: string, events: LockEvents, disk: Disk = realDisk) {
    this.#folder = folder;
    this.#events = events;
    this.#disk = disk;
    this.#pool = new LockInodes(folder, this.#owner, disk);
    this.#touch = setInterval(() => this.#touchHeld(), TOUCH_MS).unref();
  }

  /**
   * Takes a lock, waiting for its owner and breaking it where that one is dead.
   *
   * @param name a file name without ending
   * @throws ServiceError `unavailable` after {@link WAIT_MS}; the system's error where the folder fails
   */
  async acquire(name: string): Promise<HeldLock> {
    const file = this.#toFile(name);
    const begunMs = performance.now();
    const watch = new StaleLockWatch(this.#disk);
    for (let tries = 0; ; tries += 1) {
      const held = this.#tryTake(file);
      if (held !== undefined) {
        this.#events.onAcquire(performance.now() - begunMs);
        return held;
      }
      if (watch.isStale(file)) this.#breakStale(name, file, watch);
      if (performance.now() - begunMs > WAIT_MS) {
        throw new ServiceError('unavailable', 'the room is locked by another writer; try again');
      }
      await pause(tries);
    }
  }

  /**
   * Waits until every lock that is in the folder now is known to be no leftover: it was released, its
   * owner showed life, or it was stale and has been broken, `onBreak` and all. All locks are judged in
   * parallel, so this takes a little more than {@link STALE_MS}, and no time where there are none.
   *
   * @throws the first failure, once all others are judged; the locks that failed are still there
   */
  async recover(): Promise<void> {
    const judged = this.list().map((name) => this.#recoverOne(name));
    for (const outcome of await Promise.allSettled(judged)) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  async #recoverOne(name: string): Promise<void> {
    const file = this.#toFile(name);
    const watch = new StaleLockWatch(this.#disk);
    watch.isStale(file);
    const { identity } = watch;
    while (watch.identity !== undefined && watch.identity === identity) {
      await sleep(RECOVER_POLL_MS);
      if (watch.isStale(file)) this.#breakStale(name, file, watch);
    }
  }

  /**
   * Looks who holds a lock, without taking it.
   *
   * @param name a file name without ending
   * @returns `undefined` where nobody holds it
   */
  read(name: string): LockRecord | undefined {
    const file = this.#toFile(name);
    // Not existsSync: a look that fails must not pass for a room that nobody writes to.
    const found = this.#disk.statSync(file, NO_THROW);
    return found === undefined ? undefined : readLockRecord(file, this.#disk);
  }

  /** Names the locks that are held, or were left behind. */
  list(): string[] {
    const files = this.#disk.readdirSync(this.#folder);
    return files
      .filter((file) => file.endsWith(ENDING))
      .map((file) => file.slice(0, -ENDING.length));
  }

  /** Removes what dead processes left beside the locks; a lock itself is judged when it is wanted. */
  sweep(): void {
    for (const file of this.#disk.readdirSync(this.#folder)) {
      if (file.endsWith(ENDING)) continue;
      const leftover = path.join(this.#folder, file);
      const stat = this.#disk.statSync(leftover, NO_THROW);
      // One that is behind a lock as well stays: its lock must look as it did.
      if (stat === undefined || stat.nlink > 1) continue;
      if (Date.now() - stat.mtimeMs > LEFTOVER_MS) removeIfThere(leftover, this.#disk);
    }
  }

  /** Stops touching; locks that are still held go stale. */
  close(): void {
    clearInterval(this.#touch);
    this.#pool.close();
  }

  #toFile(name: string): string {
    return `${this.#folder}${path.sep}${name}${ENDING}`;
  }

  #tryTake(file: string): LockFile | undefined {
    // A look costs a tenth of a failed open.
    if (this.#disk.existsSync(file)) return undefined;
    const nowMs = performance.now();
    this.#taken += 1;
    const label = `${this.#owner} ${this.#taken}`;
    const body = this.#pool.make(file, formatLockRecord(label, file));
    if (body === undefined) return undefined;
    const onRelease = (isGone: boolean): void => {
      this.#held.delete(held);
      if (isGone) this.#pool.give(body);
      else this.#pool.drop(body);
    };
    const held = new LockFile(file, body, label, nowMs, onRelease, this.#disk);
    this.#held.add(held);
    return held;
  }

  /** Removes a dead lock: once, whoever else tries. */
  #breakStale(name: string, file: string, watch: StaleLockWatch): void {
    // Not by its whole path: hosts and containers have the folder at different places.
    const guard = path.join(
      this.#folder,
      `${toHash(`${path.basename(file)} ${watch.identity}`)}.break`,
    );
    const fd = createExclusive(guard, this.#disk);
    if (fd === undefined) {
      // Somebody is at it. If that one died at it, its guard goes stale like any lock.
      watch.guard ??= new StaleLockWatch(this.#disk);
      if (watch.guard.isStale(guard)) this.#breakStale(name, guard, watch.guard);
      return;
    }
    try {
      const holder = readLockRecord(file, this.#disk);
      if (holder === undefined || holder.identity !== watch.identity) return;
      this.#events.onBreak(name, holder.committedBytes);
      // That took a while; this process may have stood still, and others may have been here.
      if (readLockRecord(file, this.#disk)?.identity === watch.identity)
        this.#disk.unlinkSync(file);
    } finally {
      tryClose(fd, this.#disk);
      removeIfThere(guard, this.#disk);
    }
  }

  #touchHeld(): void {
    for (const held of this.#held) held.touch();
  }
}

function toHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Waits a little longer with every try: other turns first, then 1 ms, at last 5 to 10 ms. */
async function pause(tries: number): Promise<void> {
  if (tries < 4) return void (await nextTurn());
  await sleep(tries < 100 ? 1 : 5 + Math.random() * 5);
}
