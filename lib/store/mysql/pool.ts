/** A few connections for many users, bounded in number, waiting and time. */
import { ServiceError } from '../../errors.ts';
import { CONNECT_MS, type Connect, isPassing, type Link, type Session } from './driver.ts';

/** How long a user waits for a connection. */
const WAIT_MS = 4000;

/** How many users wait at one time. */
const MAX_WAITING = 20_000;

/** How often a piece of work is begun again after a passing failure. */
const MAX_RETRIES = 3;

/** How often idle connections are looked at. */
const SWEEP_MS = 500;

/** How a pool is bounded. */
export interface PoolOptions {
  readonly connect: Connect;
  /** How many connections there are at most. */
  readonly limit: number;
  /** How long a connection stays open that nobody uses; shorter than the server keeps it. */
  readonly idleMs: number;
}

interface Subscriber {
  link: Link | undefined;
  isLost: boolean;
  idleSinceMs: number;
}

interface Waiting {
  readonly resolve: (place: Subscriber) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

/** The pool. A connection on which anything failed is closed and not used again. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #idle: Subscriber[] = [];
  readonly #waiting = new Set<Waiting>();
  readonly #sweep: NodeJS.Timeout;
  #used = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#closeIdle(), SWEEP_MS).unref();
  }

  /**
   * Does a piece of work on one connection; from its beginning again, on another, where the
   * connection was lost or the transaction was a deadlock's victim.
   *
   * @param work must not have committed anything when it rejects
   * @throws ServiceError `busy` where no connection came free in time; what the work rejects with
   */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.#useOnce(work);
      } catch (error) {
        if (retries === MAX_RETRIES || !isPassing(error)) throw error;
      }
    }
  }

  /** Closes the connections that nobody uses, and the others when they come back. */
  close(): void {
    clearInterval(this.#sweep);
    for (const place of this.#idle.splice(0)) place.link?.destroy();
  }

  async #useOnce<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const place = await this.#take();
    try {
      place.link ??= await this.#connect(place);
      const result = await work(place.link);
      this.#giveBack(place);
      return result;
    } catch (error) {
      place.isLost = true;
      this.#giveBack(place);
      throw error;
    }
  }

  #connect(place: Subscriber): Promise<Link> {
    const connecting = this.#options.connect(() => {
      place.isLost = true;
    });
    // The driver's own limit ends with the first packet: a server that stands still sends no second.
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
      const timer = setTimeout(fail, CONNECT_MS + 500);
      connecting.then(resolve, reject).finally(() => clearTimeout(timer));
      connecting.then((link) => place.isLost && link.destroy()).catch(() => undefined);
    });
  }

  #take(): Promise<Subscriber> {
    // The last one used comes first, so that the others get old and are closed.
    for (let place = this.#idle.pop(); place !== undefined; place = this.#idle.pop()) {
      if (!place.isLost) {
        this.#used += 1;
        return Promise.resolve(place);
      }
      place.link?.destroy();
    }
    if (this.#used < this.#options.limit) {
      this.#used += 1;
      return Promise.resolve({ link: undefined, isLost: false, idleSinceMs: 0 });
    }
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(toBusyError());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(toBusyError());
      }, WAIT_MS);
      const waiting: Waiting = { resolve, reject, timer };
      this.#waiting.add(waiting);
    });
  }

  #giveBack(place: Subscriber): void {
    const next = place.isLost
      ? { link: undefined, isLost: false, idleSinceMs: 0 }
      : Object.assign(place, { idleSinceMs: performance.now() });
    if (place.isLost) place.link?.destroy();
    const [waiting] = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting.delete(waiting);
      clearTimeout(waiting.timer);
      waiting.resolve(next);
      return;
    }
    this.#used -= 1;
    if (next.link !== undefined) this.#idle.push(next);
  }

  #closeIdle(): void {
    const oldestMs = performance.now() - this.#options.idleMs;
    while (this.#idle.length > 0) {
      const [oldest] = this.#idle;
      if (!oldest!.isLost && oldest!.idleSinceMs > oldestMs) return;
      this.#idle.shift();
      oldest!.link?.destroy();
    }
  }
}

function toBusyError(): ServiceError {
  return new ServiceError('busy', 'the database has too much to do; try again in a moment');
}
