/**
 * Requests are served once all that arrived in the same turn of the event loop have been taken in.
 *
 * Reads among them share one look at each room: a look at a file costs more than the rest of a short
 * answer, and under load dozens of requests arrive in one turn. The look is made after the last of
 * them has arrived, so each still gets all that was acknowledged before it began, by whichever
 * process. Messages among them have their bodies by then, as most come in the packet of their header.
 */
import type { Snapshot, Store } from '../store/store.ts';

/** Rooms as they stand in one turn: what a store gives, each room looked at once. */
export class Looks {
  readonly #store: Store;
  readonly #etags = new Map<string, string | Promise<string>>();
  readonly #views = new Map<string, Snapshot | Promise<Snapshot>>();

  /** @param store what to look at */
  constructor(store: Store) {
    this.#store = store;
  }

  /** The room's entity tag; see {@link Store.etag}. */
  etag(room: string): string | Promise<string> {
    let etag = this.#etags.get(room);
    if (etag === undefined) {
      etag = this.#store.etag(room);
      this.#etags.set(room, etag);
    }
    return etag;
  }

  /** The room; see {@link Store.view}. */
  snapshot(room: string): Snapshot | Promise<Snapshot> {
    let view = this.#views.get(room);
    if (view === undefined) {
      view = this.#store.snapshot(room);
      this.#views.set(room, view);
    }
    return view;
  }
}

/** A request that waits for its turn to end; it must not throw. */
export type Waiting = (looks: Looks) => void;

/** The requests of the turn that goes on. */
export class Turn {
  readonly #store: Store;
  #waiting: Waiting[] = [];

  /** @param store what the reads among them look at */
  constructor(store: Store) {
    this.#store = store;
  }

  /** Serves a request when everything that arrived in this turn has been taken in. */
  add(serve: Waiting): void {
    if (this.#waiting.push(serve) === 1) setImmediate(() => this.#run());
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const looks = new Looks(this.#store);
    for (const serve of waiting) serve(looks);
  }
}
