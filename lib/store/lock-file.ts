/** A lock file on disk: making it, holding it, and reading what it says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { toErrno } from '../errors.ts';
import { type Disk, realDisk } from './disk.ts';

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
  publish(baseBytes: number): void;
  /**
   * Whether the lock is still this owner's; asks the disk only after a long hold.
   *
   * @throws the system's error where it can't be told
   */
  isMine(): boolean;
  /**
   * Lets it go, at once where the disk takes it. Never rejects: a lock that can't be removed is left
   * empty, which hides nothing; where neither works it is tried again for a while.
   */
  release(): Promise<void> | undefined;
}

/** What a reader learns of a lock: the committed size, `undefined` while nothing was written. */
export interface Holder {
  readonly baseBytes: number | undefined;
  /** Tells this very lock from every other one, and changes while its owner shows life. */
  readonly identity: string;
}

/** A lock file that this process made and holds open. */
export class LockFile implements HeldLock {
  readonly #file: string;
  readonly #fd: number;
  readonly #name: string;
  readonly #onRelease: () => void;
  readonly #disk: Disk;
  readonly #takenMs = performance.now();

  /**
   * @param file its path
   * @param fd its open handle
   * @param name owner and number, which no other lock has
   * @param onRelease called once it is let go
   */
  constructor(
    file: string,
    fd: number,
    name: string,
    onRelease: () => void,
    disk: Disk = realDisk,
  ) {
    this.#file = file;
    this.#fd = fd;
    this.#name = name;
    this.#onRelease = onRelease;
    this.#disk = disk;
  }

  publish(baseBytes: number): void {
    const bytes = Buffer.from(`${this.#name} ${baseBytes}\n`, 'latin1');
    if (this.#disk.writeSync(this.#fd, bytes, 0, bytes.length, 0) !== bytes.length) {
      throw Object.assign(new Error('the lock file could not be written whole'), {
        code: 'ENOSPC',
      });
    }
  }

  isMine(): boolean {
    if (performance.now() - this.#takenMs < TRUST_MS) return true;
    const found = this.#disk.statSync(this.#file, { throwIfNoEntry: false });
    return found !== undefined && found.ino === this.#disk.fstatSync(this.#fd).ino;
  }

  /** Shows life to contenders, once the lock has been held for long. */
  touch(): void {
    if (performance.now() - this.#takenMs < TOUCH_MS) return;
    const now = Date.now() / 1000;
    try {
      this.#disk.futimesSync(this.#fd, now, now);
    } catch {
      // A lock that can't be touched goes stale, as it should when its folder is gone.
    }
  }

  async release(): Promise<void> {
    this.#onRelease();
    // Emptying the file in hand harms nobody, even where the lock is another's by now.
    for (let tries = 0; !this.#tryRemove() && !tryTruncate(this.#fd, this.#disk); tries += 1) {
      if (tries === MAX_TRIES) break;
      await sleep(20 << tries);
    }
    tryClose(this.#fd, this.#disk);
  }

  #tryRemove(): boolean {
    try {
      if (!this.isMine()) return false;
      this.#disk.unlinkSync(this.#file);
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * Makes a file that must not exist yet.
 *
 * @returns its open handle, or `undefined` where it exists
 */
export function createExclusive(file: string, disk: Disk = realDisk): number | undefined {
  try {
    return disk.openSync(file, 'wx', 0o644);
  } catch (error) {
    if (toErrno(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/**
 * Reads who holds a lock.
 *
 * @param file the lock file's path
 * @returns `undefined` where there is no such file
 */
export function readHolder(file: string, disk: Disk = realDisk): Holder | undefined {
  let fd: number;
  try {
    fd = disk.openSync(file, 'r');
  } catch (error) {
    if (toErrno(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { ino, mtimeMs, ctimeMs } = disk.fstatSync(fd);
    const bytes = Buffer.allocUnsafe(64);
    const text = bytes.toString('latin1', 0, disk.readSync(fd, bytes, 0, 64, 0));
    // What stands after the LF is left of a longer base that was published before.
    const base = /^\S+ \d+ (\d+)\n/.exec(text)?.[1];
    return {
      baseBytes: base === undefined ? undefined : Number(base),
      identity: `${ino} ${mtimeMs} ${ctimeMs} ${text}`,
    };
  } finally {
    tryClose(fd, disk);
  }
}

/** Removes a file; it may be gone already. */
export function removeIfThere(file: string, disk: Disk): void {
  try {
    disk.unlinkSync(file);
  } catch (error) {
    if (toErrno(error) !== 'ENOENT') throw error;
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

/** Closes a handle, whatever close says: Linux lets it go in any case (close(2)). */
export function tryClose(fd: number, disk: Disk): void {
  try {
    disk.closeSync(fd);
  } catch {
    // It is gone.
  }
}
