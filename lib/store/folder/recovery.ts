/**
 * Recovery: what a start makes good before anybody reads or writes (decision 12).
 *
 * Removing a lock is not synced. So a power loss may bring one back, and its committed offset hides
 * lines that were acknowledged since. Until every lock that was there at the start is known to have
 * a live owner, or is gone, nobody can say what a room holds. That takes no time after a clean
 * start, milliseconds beside processes that are writing, and about 2 s where a lock is stale.
 *
 * If the locks can't be judged together, because their folder can't be listed or one of them can't
 * be broken, each room's lock is judged when the room is first read. So nothing is hidden, nothing
 * is cut, and only the room that is at fault is refused.
 */
import { BoundedMap } from '../../bounded-map.ts';
import type { LockFolder } from '../../lock/lock.ts';

/** The recovery of one store. */
export class Recovery {
  readonly #locks: LockFolder;
  /** The locks that were judged one by one; `undefined` once all were judged together. */
  #judged: BoundedMap<string, true> | undefined = new BoundedMap({ maxEntries: 100_000 });
  /** Resolves when reads, writes and checks may go on; never rejects. */
  readonly done: Promise<void>;

  /** @param onFailure told why the locks can't be judged together */
  constructor(locks: LockFolder, onFailure: (error: unknown) => void) {
    this.#locks = locks;
    this.done = this.#run().catch(onFailure);
  }

  /** Makes everything good, in this order. A journal would be replayed here as well. */
  async #run(): Promise<void> {
    this.#locks.sweep();
    await this.#locks.recover();
    this.#judged = undefined;
  }

  /**
   * Resolves when a room's lock can be believed.
   *
   * @param name the lock's
   * @throws whatever acquiring the lock rejects with
   */
  async judge(name: string): Promise<void> {
    await this.done;
    if (this.#judged === undefined || this.#judged.get(name)) return;
    if (this.#locks.read(name) !== undefined) {
      const lock = await this.#locks.acquire(name);
      await lock.release();
    }
    this.#judged?.set(name, true);
  }
}
