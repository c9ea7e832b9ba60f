/** A pool of connections, bounded in connections, in waiting callers and in time. */
import { ServiceError } from '../../errors.ts';
import { type Connect, type Connection, isTransient, type Session } from './driver.ts';

/** How long a caller waits for a connection, in milliseconds. */
const ACQUIRE_TIMEOUT_MS = 4000;

/** How many callers may wait at one time. */
const MAX_WAITING = 20_000;

/** How often work is repeated after a transient failure. */
const MAX_RETRIES = 3;

/** How often connections that were idle for too long are closed, in milliseconds. */
const SWEEP_MS = 500;

/** How a pool is bounded. */
export interface PoolOptions {
  readonly connect: Connect;
  /** How many connections are open at most. */
  readonly limit: number;
  /** How long an idle connection stays open, in milliseconds; shorter than the server keeps it. */
  readonly idleMs: number;
}

/** Room for one connection, which its first user opens. */
interface Slot {
  connection: Connection | undefined;
  isBroken: boolean;
  idleSinceMs: number;
}

interface Waiter {
  readonly resolve: (slot: Slot) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

/** The pool. A connection on which anything failed is closed and not used again. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #idle: Slot[] = [];
  readonly #waiting = new Set<Waiter>();
  readonly #sweep: NodeJS.Timeout;
  #usedCount = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#closeIdle(), SWEEP_MS).unref();
  }

  /**
   * Runs work on one connection. After a lost connection or a deadlock it runs again from its
   * beginning, on another connection.
   *
   * @param work must not have committed anything if it rejects with the driver's error
   * @throws ServiceError `busy` if no connection comes free in time, `unavailable` if the pool is
   *   closed; whatever the work rejects with
   */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.#useOnce(work);
      } catch (error) {
        if (retries === MAX_RETRIES || !isTransient(error)) throw error;
      }
    }
  }

  /** Refuses new work, closes idle connections now and those in use when their work ends. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const slot of this.#idle.splice(0)) slot.connection?.destroy();
    for (const waiter of this.#waiting) this.#takeWaiter(waiter).reject(toClosedError());
  }

  async #useOnce<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const slot = await this.#acquire();
    try {
      slot.connection ??= await this.#options.connect(() => {
        slot.isBroken = true;
      });
      return await work(slot.connection);
    } catch (error) {
      slot.isBroken = true;
      throw error;
    } finally {
      this.#release(slot);
    }
  }

  async #acquire(): Promise<Slot> {
    if (this.#isClosed) throw toClosedError();
    // The connection used last comes first, so that the others grow old and are closed.
    let slot = this.#idle.pop();
    while (slot?.isBroken) {
      slot.connection?.destroy();
      slot = this.#idle.pop();
    }
    if (slot === undefined && this.#usedCount >= this.#options.limit) return this.#waitForSlot();
    this.#usedCount += 1;
    return slot ?? toEmptySlot();
  }

  async #waitForSlot(): Promise<Slot> {
    if (this.#waiting.size >= MAX_WAITING) throw toBusyError();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#takeWaiter(waiter).reject(toBusyError()),
        ACQUIRE_TIMEOUT_MS,
      );
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiting.add(waiter);
    });
  }

  #takeWaiter(waiter: Waiter): Waiter {
    this.#waiting.delete(waiter);
    clearTimeout(waiter.timer);
    return waiter;
  }

  #release(slot: Slot): void {
    if (slot.isBroken || this.#isClosed) slot.connection?.destroy();
    const next = slot.isBroken ? toEmptySlot() : slot;
    const [waiter] = this.#waiting;
    if (waiter !== undefined) {
      this.#takeWaiter(waiter).resolve(next);
      return;
    }
    this.#usedCount -= 1;
    if (next.connection === undefined || this.#isClosed) return;
    next.idleSinceMs = performance.now();
    this.#idle.push(next);
  }

  #closeIdle(): void {
    const oldestMs = performance.now() - this.#options.idleMs;
    while (this.#idle.length > 0) {
      const [oldest] = this.#idle;
      if (!oldest!.isBroken && oldest!.idleSinceMs > oldestMs) return;
      this.#idle.shift();
      oldest!.connection?.destroy();
    }
  }
}

function toEmptySlot(): Slot {
  return { connection: undefined, isBroken: false, idleSinceMs: 0 };
}

function toBusyError(): ServiceError {
  return new ServiceError('busy', 'the database has too much to do; try again in a moment');
}

function toClosedError(): ServiceError {
  return new ServiceError('unavailable', 'this server is shutting down; try again in a moment');
}
