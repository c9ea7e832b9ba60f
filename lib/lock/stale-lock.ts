/** Judging a lock dead by its looks alone (decision 2). */
import type { Disk } from '../disk/disk.ts';
import { STALE_MS } from './held-lock.ts';
import { readLockRecord } from './lock-record.ts';

/** Watches whether a lock file stays the very same. */
export class StaleLockWatch {
  readonly #disk: Disk;
  /** The lock's identity at the last look. */
  identity: string | undefined;
  /** Watches the guard in which somebody is removing this lock. */
  guard: StaleLockWatch | undefined;
  #sinceMs = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Whether it has looked the same for {@link STALE_MS} by now. */
  isStale(file: string): boolean {
    const nowMs = performance.now();
    const identity = readLockRecord(file, this.#disk)?.identity;
    if (identity === undefined || identity !== this.identity) {
      this.identity = identity;
      this.guard = undefined;
      this.#sinceMs = nowMs;
      return false;
    }
    return nowMs - this.#sinceMs >= STALE_MS;
  }
}
