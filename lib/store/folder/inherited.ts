/**
 * Locks that were there when this process started.
 *
 * Removing a lock is not synced, so after a power loss one may be back with the base that it had,
 * and hide lines that were acknowledged since. Until such a lock is judged, nobody can say what the
 * room holds: readers wait, for as long as a dead writer may hold them up.
 */
import type { LockFolder } from '../../lock/lock.ts';

/** Those locks, until each is known to be a living one or is gone. */
export class InheritedLocks {
  readonly #locks: LockFolder;
  readonly #identities: Map<string, string | undefined>;

  /** @param locks the folder, as it is at the start */
  constructor(locks: LockFolder) {
    this.#locks = locks;
    this.#identities = new Map(locks.list().map((name) => [name, tryLook(locks, name)]));
  }

  /** Whether a lock still looks as it did at the start. */
  has(name: string): boolean {
    if (!this.#identities.has(name)) return false;
    const holder = this.#locks.read(name);
    const identity = this.#identities.get(name);
    if (holder !== undefined && (identity ?? holder.identity) === holder.identity) return true;
    this.#identities.delete(name);
    return false;
  }
}

/** @returns `undefined` where it can't be told: any lock of this name is one to be judged, then */
function tryLook(locks: LockFolder, name: string): string | undefined {
  try {
    return locks.read(name)?.identity;
  } catch {
    return undefined;
  }
}
