/**
 * The requests that arrive in one tick are served together, once the last of them has arrived.
 *
 * Reads among them share one snapshot of each room: taking it costs more than the rest of a short
 * answer, and under load dozens of requests arrive in one tick. It is taken after the last of them
 * arrived, so each contains all that was acknowledged before its request began, in any process. The
 * bodies of most posts have arrived by then too, as they come in the packet of their header.
 */
import type { Store } from '../store/store.ts';

/** The rooms as they stand in one tick. */
export type SharedSnapshots = Pick<Store, 'etag' | 'snapshot'>;

/** Serves one request of a batch. */
type Serve = (snapshots: SharedSnapshots) => Promise<void>;

/** The batch of the current tick. */
export class RequestBatch {
  readonly #store: SharedSnapshots;
  readonly #onError: (error: unknown) => void;
  #waiting: Serve[] = [];

  /** @param onError takes what serving a request threw; the other requests are served all the same */
  constructor(store: SharedSnapshots, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  /** Serves a request as soon as all that arrived in this tick have been added. */
  add(serve: Serve): void {
    if (this.#waiting.push(serve) === 1) setImmediate(() => this.#serveAll());
  }

  #serveAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const snapshots = {
      etag: askOnce((room) => this.#store.etag(room)),
      snapshot: askOnce((room) => this.#store.snapshot(room)),
    };
    for (const serve of waiting) serve(snapshots).catch(this.#onError);
  }
}

/** Makes a function that asks once for each room. */
function askOnce<T>(ask: (room: string) => Promise<T>): (room: string) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (room) => {
    const answer = answers.get(room) ?? ask(room);
    answers.set(room, answer);
    return answer;
  };
}
