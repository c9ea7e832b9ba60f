/**
 * Advisory locks: each is a file that is made only if it does not exist yet, in one folder that any
 * number of processes, containers and hosts share. Nothing but that folder is needed.
 *
 * What it promises: one owner at a time, and that a process which dies or stands still with a lock
 * held keeps nobody waiting for longer than 3 s. An owner publishes a committed offset of the
 * protected file in its lock. Bytes beyond that offset are not committed, and readers stop there.
 *
 * How: an owner keeps touching its lock while it holds it. A contender that has seen the very same
 * lock, text and times, for STALE_MS by its own monotonic clock takes it for stale: no two clocks
 * are compared, and no process id is believed. It breaks the lock inside a guard, a second
 * exclusive file whose name is made from the lock's identity, and reads the lock once more in
 * there. An identity never comes back, so a contender that is late finds nothing to break, and
 * nobody breaks a live owner's lock. If the breaking process dies, its guard goes stale and is
 * broken in the same way.
 *
 * What it does not detect: a process that stands still for longer than STALE_MS just between
 * checking a lock and acting on it. It then writes without the lock, or removes the lock of the
 * next owner. An owner must be able to cope with that; store/folder/append.ts appends whole
 * batches, and checks the file before it acknowledges anything.
 */
import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises';
import { type Disk, realDisk } from '../disk/disk.ts';
import { removeIfThere } from '../disk/files.ts';
import { ServiceError } from '../errors.ts';
import { type HeldLock, HeldLockFile, TOUCH_MS } from './held-lock.ts';
import { LockInodes } from './lock-inodes.ts';
import { formatLockRecord, type LockRecord, readLockRecord } from './lock-record.ts';
import { StaleLockDetector } from './stale-lock.ts';

/** The end of a lock's file name. */
export const LOCK_SUFFIX = '.lock';

/** The end of a guard's file name. */
const GUARD_SUFFIX = '.break';

/** How long {@link LockFolder.acquire} waits: long enough to break several stale locks in a row. */
const MAX_WAIT_MS = 10_000;

/** How often each lock is read during recovery. */
const RECOVER_POLL_MS = 50;

/**
 * Files other than locks that are older than this are removed. A live idle process may lose a kept
 * inode; it makes another.
 */
const LEFTOVER_MS = 24 * 3_600_000;

const NO_THROW = { throwIfNoEntry: false } as const;

/** What a lock folder calls. */
export interface LockEvents {
  /** A lock was acquired after a wait of `waitMs` milliseconds. */
  onAcquire(waitMs: number): void;
  /**
   * A stale lock is about to be broken: the last moment to make durable what its owner wrote beyond
   * the committed offset (`undefined` if it wrote nothing). Where this rejects, the lock stays.
   */
  onBreak(name: string, committedBytes: number | undefined): Promise<void>;
}

/** The locks of one folder, as this process uses them. */
export class LockFolder {
  readonly #folder: string;
  readonly #events: LockEvents;
  readonly #disk: Disk;
  readonly #owner = randomBytes(8).toString('hex');
  readonly #inodes: LockInodes;
  readonly #held = new Set<HeldLockFile>();
  readonly #touchTimer: NodeJS.Timeout;
  #lockCount = 0;

  /** @param folder an existing folder for the lock files and nothing else */
  constructor(folder: string, events: LockEvents, disk: Disk = realDisk) {
    this.#folder = folder;
    this.#events = events;
    this.#disk = disk;
    this.#inodes = new LockInodes(folder, this.#owner, disk);
    this.#touchTimer = setInterval(() => {
      for (const held of this.#held) held.touch();
    }, TOUCH_MS).unref();
  }

  /**
   * Acquires a lock. Waits while another owner holds it, and breaks it once it is stale.
   *
   * @param name the file's name without `.lock`
   * @throws ServiceError `unavailable` after 10 s; the system's error where the folder fails
   */
  async acquire(name: string): Promise<HeldLock> {
    const file = this.#toFile(name);
    const begunMs = performance.now();
    const detector = new StaleLockDetector(this.#disk);
    for (let tries = 0; ; tries += 1) {
      const held = this.#tryAcquire(file);
      if (held !== undefined) {
        this.#events.onAcquire(performance.now() - begunMs);
        return held;
      }
      if (detector.isStale(file)) await this.#breakStale(name, file, detector);
      if (performance.now() - begunMs > MAX_WAIT_MS) {
        throw new ServiceError('unavailable', 'the room is locked by another writer; try again');
      }
      await waitToRetry(tries);
    }
  }

  /**
   * Waits until none of the locks that are in the folder now can be a leftover: each was released,
   * its owner showed life, or it was stale and has been broken. All are watched in parallel, so
   * this takes a little more than 2 s, and no time where there are no locks.
   *
   * @throws the first failure, once all others were awaited; a lock that failed is still there
   */
  async recover(): Promise<void> {
    const outcomes = this.list().map((name) => this.#recoverOne(name));
    for (const outcome of await Promise.allSettled(outcomes)) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  async #recoverOne(name: string): Promise<void> {
    const file = this.#toFile(name);
    const detector = new StaleLockDetector(this.#disk);
    detector.isStale(file);
    const { identity } = detector;
    while (detector.identity !== undefined && detector.identity === identity) {
      await sleep(RECOVER_POLL_MS);
      if (detector.isStale(file)) await this.#breakStale(name, file, detector);
    }
  }

  /**
   * Reads a lock without acquiring it.
   *
   * @param name the file's name without `.lock`
   * @returns `undefined` if nobody holds it
   * @throws the system's error
   */
  read(name: string): LockRecord | undefined {
    const file = this.#toFile(name);
    // A stat costs a tenth of an open that fails. existsSync would take an error for "no lock".
    const stat = this.#disk.statSync(file, NO_THROW);
    return stat === undefined ? undefined : readLockRecord(file, this.#disk);
  }

  /** @returns the names of all locks that are held or stale */
  list(): string[] {
    return this.#disk
      .readdirSync(this.#folder)
      .filter((file) => file.endsWith(LOCK_SUFFIX))
      .map((file) => file.slice(0, -LOCK_SUFFIX.length));
  }

  /** Removes what processes that died left beside the locks, after a day. Never a lock. */
  sweep(): void {
    for (const file of this.#disk.readdirSync(this.#folder)) {
      if (file.endsWith(LOCK_SUFFIX)) continue;
      const leftover = path.join(this.#folder, file);
      const stat = this.#disk.statSync(leftover, NO_THROW);
      if (stat === undefined) continue;
      // Removing the other name of a lock's inode would change the lock's identity.
      if (stat.nlink > 1 && !file.endsWith(GUARD_SUFFIX)) continue;
      if (Date.now() - stat.mtimeMs > LEFTOVER_MS) removeIfThere(leftover, this.#disk);
    }
  }

  /** Stops touching: locks that are still held become stale. */
  close(): void {
    clearInterval(this.#touchTimer);
    this.#inodes.close();
  }

  #toFile(name: string): string {
    return `${this.#folder}${path.sep}${name}${LOCK_SUFFIX}`;
  }

  /** @returns `undefined` if another owner holds the lock */
  #tryAcquire(file: string): HeldLockFile | undefined {
    // Checking first costs a tenth of a link or an open that fails.
    if (this.#disk.existsSync(file)) return undefined;
    const nowMs = performance.now();
    this.#lockCount += 1;
    const lockId = `${this.#owner} ${this.#lockCount}`;
    const inode = this.#inodes.createLock(file, formatLockRecord(lockId, file));
    if (inode === undefined) return undefined;
    const onRelease = (isRemoved: boolean): void => {
      this.#held.delete(held);
      if (isRemoved) this.#inodes.reuse(inode);
      else this.#inodes.discard(inode);
    };
    const held = new HeldLockFile(file, inode, lockId, nowMs, onRelease, this.#disk);
    this.#held.add(held);
    return held;
  }

  /**
   * Removes a stale lock exactly once, even if several processes try.
   *
   * @param name its name; `undefined` for a guard
   */
  async #breakStale(
    name: string | undefined,
    file: string,
    detector: StaleLockDetector,
  ): Promise<void> {
    const guardFile = path.join(this.#folder, toGuardName(file, detector.identity!));
    const guard = this.#tryAcquire(guardFile);
    if (guard === undefined) {
      // Another process is breaking the lock. If it died, its guard becomes stale as any lock does.
      detector.guard ??= new StaleLockDetector(this.#disk);
      if (!detector.guard.isStale(guardFile)) return;
      return this.#breakStale(undefined, guardFile, detector.guard);
    }
    try {
      const record = readLockRecord(file, this.#disk);
      if (record === undefined || record.identity !== detector.identity) return;
      if (name !== undefined) await this.#events.onBreak(name, record.committedBytes);
      // That took a while. Its owner, or another process, may have changed the lock meanwhile.
      const identity = readLockRecord(file, this.#disk)?.identity;
      if (identity === detector.identity) removeIfThere(file, this.#disk);
    } finally {
      await guard.release();
    }
  }
}

/** Hosts and containers have the folder at different paths, so only the lock's name counts. */
function toGuardName(file: string, identity: string): string {
  const hash = createHash('sha256')
    .update(`${path.basename(file)} ${identity}`)
    .digest('hex');
  return `${hash.slice(0, 32)}${GUARD_SUFFIX}`;
}

/** Waits a tick at first, then 1 ms, at last 5 to 10 ms. */
async function waitToRetry(tries: number): Promise<void> {
  if (tries < 4) await nextTick();
  else await sleep(tries < 100 ? 1 : 5 + Math.random() * 5);
}
