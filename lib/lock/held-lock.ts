/** A lock that is held: what its owner may do with its file. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Disk, realDisk } from '../disk/disk.ts';
import { writeWhole } from '../disk/files.ts';
import { toErrno } from '../errors.ts';
import { formatCommittedOffset, NOTHING_WRITTEN } from './lock-record.ts';

/** How long a lock must look the same until its owner counts as dead. */
export const STALE_MS = 2000;

/** How often a live owner touches a lock that it goes on holding. */
export const TOUCH_MS = 400;

/** How often it is tried to let a lock go, beside the first time. */
const MAX_TRIES = 5;

/** After this time an owner looks whether the lock is still its own. */
const TRUST_MS = STALE_MS / 2;

/** A lock that is held. */
export interface HeldLock {
  /** Publishes the size that the room had before this owner writes. */
  publish(committedBytes: number): void;
  /**
   * Whether the lock is still this owner's; asks the disk only after a long hold.
   *
   * @throws the system's error where it can't be told
   */
  isHeld(): boolean;
  /**
   * Lets it go, at once where the disk takes it. Never rejects: a lock that can't be removed is left
   * empty, which hides nothing; where neither works it is tried again for a while.
   */
  release(): Promise<void> | undefined;
}

/** How a lock is let go: whether its file is gone for sure, so that what is behind it is free. */
export type OnRelease = (isGone: boolean) => void;

/** A lock file that this process made and holds open. */
export class LockFile implements HeldLock {
  readonly #file: string;
  readonly #body: { readonly fd: number; readonly ino: number };
  readonly #baseOffset: number;
  readonly #onRelease: OnRelease;
  readonly #disk: Disk;
  readonly #takenMs: number;
  #isPublished = false;

  /**
   * @param file its path
   * @param body what is behind it: an open handle and its inode
   * @param label what its text begins with, see {@link formatLockRecord}
   * @param takenMs a moment before it was made, by the monotonic clock
   * @param onRelease called once it is let go
   */
  constructor(
    file: string,
    body: { readonly fd: number; readonly ino: number },
    label: string,
    takenMs: number,
    onRelease: OnRelease,
    disk: Disk = realDisk,
  ) {
    this.#file = file;
    this.#body = body;
    this.#baseOffset = label.length + 1;
    this.#takenMs = takenMs;
    this.#onRelease = onRelease;
    this.#disk = disk;
  }

  publish(committedBytes: number): void {
    // Nobody may read the half of one number and the half of another.
    if (this.#isPublished) this.#write(NOTHING_WRITTEN);
    this.#isPublished = true;
    this.#write(formatCommittedOffset(committedBytes));
  }

  #write(base: string): void {
    writeWhole(this.#body.fd, base, this.#baseOffset, this.#disk);
  }

  isHeld(): boolean {
    if (performance.now() - this.#takenMs < TRUST_MS) return true;
    return this.#disk.statSync(this.#file, { throwIfNoEntry: false })?.ino === this.#body.ino;
  }

  /** Shows life to contenders, once the lock has been held for long. */
  touch(): void {
    if (performance.now() - this.#takenMs < TOUCH_MS) return;
    const now = Date.now() / 1000;
    try {
      this.#disk.futimesSync(this.#body.fd, now, now);
    } catch {
      // A lock that can't be touched goes stale, as it should when its folder is gone.
    }
  }

  async release(): Promise<void> {
    let isGone = this.#tryRemove();
    for (let tries = 0; !isGone && !tryTruncate(this.#body.fd, this.#disk); tries += 1) {
      if (tries === MAX_TRIES) break;
      await sleep(20 << tries);
      isGone = this.#tryRemove();
    }
    this.#onRelease(isGone);
  }

  /** @returns whether it is gone for sure: removed now, or another's by now */
  #tryRemove(): boolean {
    try {
      if (this.isHeld()) this.#disk.unlinkSync(this.#file);
      return true;
    } catch (error) {
      return toErrno(error) === 'ENOENT';
    }
  }
}

function tryTruncate(fd: number, disk: Disk): boolean {
  try {
    disk.ftruncateSync(fd, 0);
    return true;
  } catch {
    return false;
  }
}
