/**
 * Who is reading a room live, and waking them.
 *
 * Live is only a poke: "this room may have changed". The hub then looks at the room once, reads
 * once from each place that readers stand at, and hands all readers at that place the same
 * ready-framed buffer. Nobody has a queue: a slow reader lags at its own offset, with one buffer in
 * its socket, and is cut off when it takes nothing for long (place.ts).
 */

import type { Log } from '../ops/log.ts';
import type { Store } from '../store/store.ts';
import { deliver, type Format, groupByOffset, type Sink, Subscriber } from './subscriber.ts';

/** How often each reader gets a sign of life, in milliseconds. */
export const PING_MS = 15_000;

/** Readers are spread over so many ticks of a second. */
const PING_SLOTS = PING_MS / 1000;

/** How soon a room is looked at again while somebody writes to it; longer if that goes on. */
const UNSETTLED_MS = [2, 16] as const;

/** How soon a room is looked at again when its store failed; longer if that goes on. */
const FAILED_MS = [20, 1000] as const;

/** One live reader. */
export interface Reader {
  /** Takes more again. */
  resume(): void;
  /** Is gone; to be called once the stream is closed, for whatever reason. */
  leave(): void;
}

/** The readers of one room. */
interface Feed {
  readonly room: string;
  readonly places: Set<Subscriber>;
  isPumping: boolean;
  isDirty: boolean;
  isFailing: boolean;
  delayMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** The hub of all live readers of this process. */
export class Hub {
  readonly #store: Store;
  readonly #log: Log;
  readonly #feeds = new Map<string, Feed>();
  readonly #slots = Array.from({ length: PING_SLOTS }, () => new Set<Subscriber>());
  readonly #timer: NodeJS.Timeout;
  #stopWatch: (() => void) | undefined;
  #joined = 0;
  #ticks = 0;
  readonly #late = new WeakSet<Subscriber>();
  #isClosing = false;

  /** @param store where the rooms are; watched while there is a reader */
  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#timer = setInterval(() => this.#tick(), 1000).unref();
  }

  /** How many readers there are. */
  get subscriberCount(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.size, 0);
  }

  /** Says that a room may have changed. */
  notify(room: string): void {
    const feed = this.#feeds.get(room);
    if (feed === undefined) return;
    feed.delayMs = 0;
    void this.#pump(feed);
  }

  /**
   * Adds a reader; its first lines are on their way at once.
   *
   * @param offset where it starts, after a line of this epoch
   */
  join(room: string, offset: number, epoch: string, format: Format, sink: Sink): Reader {
    const feed = this.#toFeed(room);
    const place = new Subscriber(offset, epoch, format, sink);
    const slot = this.#slots[this.#joined++ % PING_SLOTS]!;
    feed.places.add(place);
    slot.add(place);
    if (this.#isClosing) this.#late.add(place);
    // The watch stands before the first look, so that no change falls between them.
    this.#stopWatch ??= this.#store.watch(
      () => this.#feeds.keys(),
      (changed) => this.notify(changed),
    );
    void this.#pump(feed);
    return {
      resume: () => {
        place.resume();
        void this.#pump(feed);
      },
      leave: () => {
        place.leave();
        slot.delete(place);
        feed.places.delete(place);
        if (feed.places.size === 0) this.#drop(feed);
      },
    };
  }

  /** Ends every stream; one that joins from now on gets what there is and ends. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#timer);
    for (const feed of this.#feeds.values()) void this.#pump(feed);
  }

  /** A reader that lags goes on at its cursor elsewhere, but who joins late comes from there. */
  #end(feed: Feed): void {
    for (const place of feed.places) {
      if (!place.isBlocked || !this.#late.has(place)) place.end();
    }
  }

  #toFeed(room: string): Feed {
    let feed = this.#feeds.get(room);
    if (feed === undefined) {
      const flags = { isPumping: false, isDirty: false, isFailing: false };
      feed = { room, places: new Set(), ...flags, delayMs: 0, timer: undefined };
      this.#feeds.set(room, feed);
    }
    return feed;
  }

  #drop(feed: Feed): void {
    clearTimeout(feed.timer);
    if (this.#feeds.get(feed.room) === feed) this.#feeds.delete(feed.room);
    if (this.#feeds.size > 0) return;
    this.#stopWatch?.();
    this.#stopWatch = undefined;
  }

  /** Looks at the room and sends what is new, until nothing is; one run at a time for a room. */
  async #pump(feed: Feed): Promise<void> {
    feed.isDirty = true;
    if (feed.isPumping) return;
    feed.isPumping = true;
    try {
      while (feed.isDirty && feed.places.size > 0) {
        feed.isDirty = false;
        await this.#catchUp(feed);
      }
      feed.isFailing = false;
    } catch (error) {
      // Told once: a store that is down is asked again and again.
      const { room } = feed;
      if (!feed.isFailing) this.#log.warn('live readers wait for their room', { room, error });
      feed.isFailing = true;
      this.#pumpLater(feed, FAILED_MS);
    } finally {
      feed.isPumping = false;
    }
    if (this.#isClosing) this.#end(feed);
  }

  #pumpLater(feed: Feed, [leastMs, mostMs]: readonly [number, number]): void {
    feed.delayMs = Math.min(mostMs, Math.max(leastMs, feed.delayMs * 2));
    clearTimeout(feed.timer);
    if (feed.places.size === 0) return;
    feed.timer = setTimeout(() => void this.#pump(feed), feed.delayMs).unref();
  }

  async #catchUp(feed: Feed): Promise<void> {
    // Who joins while the store looks may know a later state than it finds: they come next time.
    const places = [...feed.places];
    const view = await this.#store.snapshot(feed.room);
    if (view.isSettled) feed.delayMs = 0;
    else this.#pumpLater(feed, UNSETTLED_MS);
    for (const place of places) {
      if (place.isStale(view.epoch, view.completeBytes)) place.reset();
    }
    // Once at least: pokes without a pause must not keep anybody waiting.
    do {
      const groups = groupByOffset(places, view.completeBytes);
      if (groups.size === 0) return;
      for (const [offset, group] of groups) await deliver(view, offset, group);
    } while (!feed.isDirty);
  }

  #tick(): void {
    this.#ticks += 1;
    for (const place of this.#slots[this.#ticks % PING_SLOTS]!) place.ping();
  }
}
