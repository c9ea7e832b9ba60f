/** A lock that this process holds: what its owner may do with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Disk, realDisk } from '../disk/disk.ts';
import { writeWhole } from '../disk/files.ts';
import { toErrno } from '../errors.ts';
import type { LockInode } from './lock-inodes.ts';
import { formatCommittedOffset, NOTHING_WRITTEN } from './lock-record.ts';

/** How long a lock must stay the very same until it is stale. */
export const STALE_MS = 2000;

/** How often a live owner touches a lock that it goes on holding. */
export const TOUCH_MS = 400;

/** After this time an owner checks whether the lock is still its own. */
const TRUST_MS = STALE_MS / 2;

/** How often a release that fails is tried again. */
const MAX_RETRIES = 5;

/** What an owner may do with its lock. */
export type HeldLock = Pick<HeldLockFile, 'publish' | 'isHeld' | 'release'>;

/** The file of a lock that this process holds. */
export class HeldLockFile {
  readonly #file: string;
  readonly #inode: Pick<LockInode, 'fd' | 'ino'>;
  readonly #committedOffsetAt: number;
  readonly #acquiredMs: number;
  readonly #disk: Disk;
  readonly #onRelease: (isRemoved: boolean) => void;
  #isPublished = false;

  /**
   * @param lockId what its record begins with, see {@link formatLockRecord}
   * @param acquiredMs a moment before the lock was made, by the monotonic clock
   * @param onRelease told whether the path certainly leads to the inode no more
   */
  constructor(
    file: string,
    inode: Pick<LockInode, 'fd' | 'ino'>,
    lockId: string,
    acquiredMs: number,
    onRelease: (isRemoved: boolean) => void,
    disk: Disk = realDisk,
  ) {
    this.#file = file;
    this.#inode = inode;
    this.#committedOffsetAt = lockId.length + 1;
    this.#acquiredMs = acquiredMs;
    this.#onRelease = onRelease;
    this.#disk = disk;
  }

  /**
   * Publishes the committed offset: the size of the protected file before this owner writes.
   *
   * @throws the system's error
   */
  publish(committedBytes: number): void {
    // A reader must never see one half of each of two numbers.
    if (this.#isPublished) this.#write(NOTHING_WRITTEN);
    this.#isPublished = true;
    this.#write(formatCommittedOffset(committedBytes));
  }

  #write(text: string): void {
    writeWhole(this.#inode.fd, Buffer.from(text), this.#committedOffsetAt, this.#disk);
  }

  /**
   * Asks the disk only after a long hold.
   *
   * @returns whether the lock is still this owner's
   * @throws the system's error where that can't be told
   */
  isHeld(): boolean {
    if (performance.now() - this.#acquiredMs < TRUST_MS) return true;
    return this.#disk.statSync(this.#file, { throwIfNoEntry: false })?.ino === this.#inode.ino;
  }

  /** Shows contenders a sign of life, if the lock has been held for long. */
  touch(): void {
    if (performance.now() - this.#acquiredMs < TOUCH_MS) return;
    const nowSeconds = Date.now() / 1000;
    try {
      this.#disk.futimesSync(this.#inode.fd, nowSeconds, nowSeconds);
    } catch {
      // The lock becomes stale, which is right where its disk is gone.
    }
  }

  /**
   * Releases the lock. Never rejects: a lock that can't be removed is emptied, so that it hides
   * nothing from readers; where neither works it tries again for a second.
   */
  async release(): Promise<void> {
    let isRemoved = this.#tryRemove();
    for (let tries = 0; !isRemoved && !this.#tryEmpty(); tries += 1) {
      if (tries === MAX_RETRIES) break;
      await sleep(20 << tries);
      isRemoved = this.#tryRemove();
    }
    this.#onRelease(isRemoved);
  }

  /** @returns whether the lock is certainly gone: removed now, or another owner's already */
  #tryRemove(): boolean {
    try {
      if (this.isHeld()) this.#disk.unlinkSync(this.#file);
      return true;
    } catch (error) {
      return toErrno(error) === 'ENOENT';
    }
  }

  #tryEmpty(): boolean {
    try {
      this.#disk.ftruncateSync(this.#inode.fd, 0);
      return true;
    } catch {
      return false;
    }
  }
}
