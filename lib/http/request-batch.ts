/**
 * The requests that arrive in one tick are served together, once the last of them has arrived.
 *
 * Reads among them share one snapshot of each room: taking it costs more than the rest of a short
 * answer, and under load dozens of requests arrive in one tick. It is taken after the last of them
 * arrived, so each contains all that was acknowledged before its request began, in any process. The
 * bodies of most posts have arrived by then too, as they come in the packet of their header.
 */
import type { Snapshot, Store } from '../store/store.ts';

/** The rooms as they stand in one tick: each room's snapshot is taken once. */
export class SharedSnapshots {
  readonly #store: Store;
  readonly #etags = new Map<string, Promise<string>>();
  readonly #snapshots = new Map<string, Promise<Snapshot>>();

  /** @param store where the rooms are */
  constructor(store: Store) {
    this.#store = store;
  }

  /** Returns the room's entity tag; see {@link Store.etag}. */
  etag(room: string): Promise<string> {
    let etag = this.#etags.get(room);
    if (etag === undefined) {
      etag = this.#store.etag(room);
      this.#etags.set(room, etag);
    }
    return etag;
  }

  /** Returns the room; see {@link Store.snapshot}. */
  snapshot(room: string): Promise<Snapshot> {
    let snapshot = this.#snapshots.get(room);
    if (snapshot === undefined) {
      snapshot = this.#store.snapshot(room);
      this.#snapshots.set(room, snapshot);
    }
    return snapshot;
  }
}

/** Serves one request of a batch. */
export type Serve = (snapshots: SharedSnapshots) => Promise<void>;

/** The batch of the current tick. */
export class RequestBatch {
  readonly #store: Store;
  readonly #onError: (error: unknown) => void;
  #waiting: Serve[] = [];

  /**
   * @param store where the rooms are
   * @param onError takes what serving a request threw; the other requests are served all the same
   */
  constructor(store: Store, onError: (error: unknown) => void) {
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
    const snapshots = new SharedSnapshots(this.#store);
    for (const serve of waiting) serve(snapshots).catch(this.#onError);
  }
}
