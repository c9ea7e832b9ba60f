/**
 * Recovery: what a start makes good before anybody reads or writes (decisions 12 and 17).
 *
 * **Locks.** Removing a lock is not synced. So a power loss may bring one back, and its committed
 * offset hides lines that were acknowledged since. Until every lock that was there at the start is
 * known to have a live owner, or is gone, nobody can say what a room holds. If the locks can't be
 * judged together, because their folder can't be listed or one of them can't be broken, each room's
 * lock is judged when the room is first read. So nothing is hidden, nothing is cut, and only the
 * room that is at fault is refused.
 *
 * **Journals.** After a power loss the rooms lack what only the journals have. While those can't be
 * replayed, every request is refused, and each begins another try.
 *
 * A clean start takes no time, one beside processes that are writing takes milliseconds, and a
 * stale lock about 2 s.
 */
import { BoundedMap } from '../../bounded-map.ts';
import type { LockFolder } from '../../lock/lock.ts';
import type { JournalRecovery } from './journal-recovery.ts';

/** The recovery of one store. */
export class Recovery {
  readonly #locks: LockFolder;
  readonly #journals: Pick<JournalRecovery, 'replay'>;
  readonly #onFailure: (error: unknown) => void;
  /** The locks that were judged one by one; `undefined` once all were judged together. */
  #judged: BoundedMap<string, true> | undefined = new BoundedMap({ maxEntries: 100_000 });
  readonly #locksJudged: Promise<void>;
  #replayed: Promise<void> | undefined;

  /** @param onFailure told why the locks can't be judged together */
  constructor(
    locks: LockFolder,
    journals: Pick<JournalRecovery, 'replay'>,
    onFailure: (error: unknown) => void,
  ) {
    this.#locks = locks;
    this.#journals = journals;
    this.#onFailure = onFailure;
    this.#locksJudged = this.#judgeLocks();
    // It begins at once; whoever asks first hears of a failure.
    this.wait().catch(() => undefined);
  }

  /**
   * Resolves when rooms may be read and written.
   *
   * @throws the system's error while the journals can't be replayed
   */
  async wait(): Promise<void> {
    await this.#locksJudged;
    this.#replayed ??= this.#journals.replay().catch((error) => {
      this.#replayed = undefined;
      throw error;
    });
    await this.#replayed;
  }

  /**
   * Resolves when a room's lock can be believed.
   *
   * @throws whatever {@link wait} or acquiring the lock rejects with
   */
  async judge(name: string): Promise<void> {
    await this.wait();
    if (this.#judged === undefined || this.#judged.get(name)) return;
    if (this.#locks.read(name) !== undefined) {
      const lock = await this.#locks.acquire(name);
      await lock.release();
    }
    this.#judged?.set(name, true);
  }

  async #judgeLocks(): Promise<void> {
    try {
      this.#locks.sweep();
      await this.#locks.recover();
      this.#judged = undefined;
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
