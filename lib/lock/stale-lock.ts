/** Decides that a lock is stale, by what can be read of it alone (decision 2). */
import type { Disk } from '../disk/disk.ts';
import { STALE_MS } from './held-lock.ts';
import { readLockRecord } from './lock-record.ts';

/** Notices when one lock has stayed the very same for {@link STALE_MS}. */
export class StaleLockDetector {
  readonly #disk: Disk;
  /** The lock's identity when it was last read; `undefined` if there was no lock. */
  identity: string | undefined;
  /** Does the same for the guard in which another process breaks this lock. */
  guard: StaleLockDetector | undefined;
  #sinceMs = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /**
   * Reads the lock; to be called again and again.
   *
   * @param file the lock's path, always the same
   * @throws the system's error
   */
  isStale(file: string): boolean {
    // However long the reading takes, that time is not counted.
    const beforeMs = performance.now();
    const identity = readLockRecord(file, this.#disk)?.identity;
    if (identity === undefined || identity !== this.identity) {
      this.identity = identity;
      this.guard = undefined;
      this.#sinceMs = performance.now();
      return false;
    }
    return beforeMs - this.#sinceMs >= STALE_MS;
  }
}
