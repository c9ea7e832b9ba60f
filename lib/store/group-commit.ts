/**
 * Group commit: what waits for a room is written and synced once (design, «The append»).
 *
 * While one batch of a room is being committed the next one gathers. A batch is bounded in bytes,
 * a room's queue in messages, and the rooms that commit at one time in number, as each holds two
 * file handles.
 */
import { ServiceError } from '../errors.ts';
import type { Entry } from '../room/message.ts';
import type { OnExpected, Receipt } from './store.ts';

/** A batch takes no further message once its text may be this long, in bytes. */
export const MAX_BATCH_BYTES = 1 << 20;

/** How many messages wait for one room before the next one is refused. */
export const MAX_WAITING = 10_000;

/** Senders of a smaller batch are not told what is expected: they hardly wait for each other. */
export const MIN_EXPECTED = 8;

/** How many senders of a batch are told that: a sync leaves time for about so many. */
export const MAX_EXPECTED = 128;

/** How many rooms commit at one time. */
export const MAX_COMMITS = 64;

/**
 * Commits a batch: gives a receipt for each entry, or rejects with none of them stored. It may tell
 * before which receipts it will most likely give.
 */
export type Commit = (
  room: string,
  entries: readonly Entry[],
  onExpected: (expected: readonly Receipt[]) => void,
) => Promise<Receipt[]>;

interface Waiting {
  readonly entry: Entry;
  readonly onExpected: OnExpected | undefined;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
}

/** The queues of all rooms. */
export class GroupCommit {
  readonly #commit: Commit;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #ready: string[] = [];
  readonly #onIdle: (() => void)[] = [];
  #commits = 0;
  #unanswered = 0;

  /** @param commit stores one batch of one room; never called twice at a time for a room */
  constructor(commit: Commit) {
    this.#commit = commit;
  }

  /**
   * Queues a message; see {@link Store.append}.
   *
   * @returns its receipt, once it is committed
   * @throws ServiceError `busy` where too many wait already; whatever the commit rejects with
   */
  append(room: string, entry: Entry, onExpected?: OnExpected): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      let waiting = this.#waiting.get(room);
      if (waiting === undefined) {
        waiting = [];
        this.#waiting.set(room, waiting);
        this.#ready.push(room);
        // A turn later, so that everything that arrived in this one goes into the first batch.
        setImmediate(() => this.#start());
      }
      if (waiting.length >= MAX_WAITING) {
        reject(new ServiceError('busy', 'too many messages wait for this room; try again'));
        return;
      }
      waiting.push({ entry, onExpected, resolve, reject });
    });
  }

  /** Resolves when nothing waits, nothing is being committed, and everybody was answered. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #start(): void {
    while (this.#commits < MAX_COMMITS) {
      const room = this.#ready.shift();
      if (room === undefined) return;
      this.#commits += 1;
      void this.#run(room);
    }
  }

  /** Commits one batch and goes to the end of the line, so that no room holds up the others. */
  async #run(room: string): Promise<void> {
    const waiting = this.#waiting.get(room)!;
    const batch = waiting.splice(0, countBatch(waiting));
    this.#unanswered += 1;
    const answer = await this.#settle(room, batch);
    const hasMore = waiting.length > 0;
    if (!hasMore) this.#waiting.delete(room);
    // A turn later, so that another process gets its turn at the lock.
    setImmediate(() => {
      answer();
      this.#unanswered -= 1;
      if (this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve();
      // And another, so that what its senders say next still goes into the next batch.
      setImmediate(() => {
        setImmediate(() => {
          this.#commits -= 1;
          if (hasMore) this.#ready.push(room);
          this.#start();
        });
      });
    });
  }

  #isIdle(): boolean {
    return this.#waiting.size === 0 && this.#unanswered === 0;
  }

  /** Commits a batch; never rejects, but gives what tells its senders how it went. */
  async #settle(room: string, batch: readonly Waiting[]): Promise<() => void> {
    try {
      const entries = batch.map(({ entry }) => entry);
      const receipts = await this.#commit(room, entries, (expected) => tell(batch, expected));
      return () => {
        for (const [index, { resolve }] of batch.entries()) resolve(receipts[index]!);
      };
    } catch (error) {
      return () => {
        for (const { reject } of batch) reject(error);
      };
    }
  }
}

/** Tells what is expected; what a sender makes of it must not stop the batch. */
function tell(batch: readonly Waiting[], expected: readonly Receipt[]): void {
  if (batch.length < MIN_EXPECTED) return;
  for (const [index, { onExpected }] of batch.entries()) {
    if (index === MAX_EXPECTED) return;
    try {
      onExpected?.(expected[index]!);
    } catch {
      // It shows again when the answer is given.
    }
  }
}

/** How many of those that wait go into the next batch. */
function countBatch(waiting: readonly Waiting[]): number {
  let bytes = 0;
  for (const [index, { entry }] of waiting.entries()) {
    // A UTF-16 unit is at most three bytes of UTF-8; 32 for the time and what stands between.
    bytes += 3 * (entry.username.length + entry.message.length) + 32;
    if (bytes > MAX_BATCH_BYTES) return Math.max(1, index);
  }
  return waiting.length;
}
