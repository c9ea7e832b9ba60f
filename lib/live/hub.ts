/**
 * Live delivery: who reads a room live, and how new lines reach them.
 *
 * Nobody carries a message to a subscriber. The store's watch says that a room may have changed. The
 * room's feed then takes one snapshot, reads once from each offset that subscribers are at, and gives
 * all of them there the same framed buffer (`room-feed.ts`). There are no queues: a slow subscriber
 * lags at its own offset with one buffer in its socket, and is cut off if it takes nothing for three
 * pings (`Subscriber.pingOrCutOff`).
 *
 * The store finds the changes. `http` makes the frames and owns the sockets.
 */
import type { Log } from '../ops/log.ts';
import type { Cursor } from '../room/cursor.ts';
import type { Store } from '../store/store.ts';
import { RoomFeed } from './room-feed.ts';
import { type Format, type Sink, Subscriber } from './subscriber.ts';

/** How often each subscriber is pinged, in milliseconds. */
export const PING_MS = 15_000;

/** One group of subscribers is pinged each second, so that not all are pinged at once. */
const PING_GROUPS = PING_MS / 1000;

/** What a stream tells the hub about its subscriber. */
export interface Subscription {
  /** The sink takes frames again. */
  resume(): void;
  /** The stream is closed, for whatever reason. May be called more than once. */
  unsubscribe(): void;
}

/** All subscribers of this process. */
export class Hub {
  readonly #store: Store;
  readonly #log: Log;
  readonly #feeds = new Map<string, RoomFeed>();
  readonly #pingGroups = Array.from({ length: PING_GROUPS }, () => new Set<Subscriber>());
  readonly #pingTimer: NodeJS.Timeout;
  #subscribedCount = 0;
  #pingTurn = 0;
  #stopWatch: (() => void) | undefined;
  #isClosing = false;

  /** @param store is watched while there are subscribers */
  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#pingTimer = setInterval(() => this.#pingNextGroup(), 1000).unref();
  }

  /** How many subscribers there are. */
  get subscriberCount(): number {
    return this.#pingGroups.reduce((sum, group) => sum + group.size, 0);
  }

  /** Delivers what is new in a room that may have changed. */
  notify(room: string): void {
    this.#feeds.get(room)?.notify();
  }

  /** Adds a subscriber and begins to send it lines. */
  subscribe(room: string, start: Cursor, format: Format, sink: Sink): Subscription {
    const feed = this.#feeds.get(room) ?? this.#addFeed(room);
    const subscriber = new Subscriber(start, format, sink, this.#isClosing);
    const pingGroup = this.#pingGroups[this.#subscribedCount++ % PING_GROUPS]!;
    pingGroup.add(subscriber);
    feed.subscribers.add(subscriber);
    // The watch begins before the first snapshot, so that no change falls between them.
    this.#stopWatch ??= this.#store.watch(
      () => this.#feeds.keys(),
      (changed) => this.notify(changed),
    );
    feed.notify();
    return {
      resume: () => {
        subscriber.resume();
        feed.notify();
      },
      unsubscribe: () => {
        subscriber.stop();
        pingGroup.delete(subscriber);
        feed.subscribers.delete(subscriber);
        if (feed.subscribers.size === 0) this.#removeFeed(room, feed);
      },
    };
  }

  /**
   * Ends every stream after what it can be sent at once. A subscriber that comes later is sent all
   * that the room has, and then ended.
   */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#pingTimer);
    for (const feed of this.#feeds.values()) feed.close();
  }

  #addFeed(room: string): RoomFeed {
    const feed = new RoomFeed(room, this.#store, this.#log);
    this.#feeds.set(room, feed);
    if (this.#isClosing) feed.close();
    return feed;
  }

  #removeFeed(room: string, feed: RoomFeed): void {
    if (this.#feeds.get(room) === feed) this.#feeds.delete(room);
    if (this.#feeds.size > 0) return;
    this.#stopWatch?.();
    this.#stopWatch = undefined;
  }

  #pingNextGroup(): void {
    this.#pingTurn = (this.#pingTurn + 1) % PING_GROUPS;
    for (const subscriber of this.#pingGroups[this.#pingTurn]!) subscriber.pingOrCutOff();
  }
}
