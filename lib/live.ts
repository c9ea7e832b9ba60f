/**
 * Who is reading a room live, and waking them.
 *
 * Live is only a poke: "this room may have changed". The hub then looks at the room once, reads
 * once from each place that readers stand at, and hands all readers at that place the same
 * ready-framed buffer. Nobody has a queue: a slow reader lags at its own offset, with one buffer in
 * its socket, and is cut off when it takes nothing for {@link STALL_MS}.
 */

import { readLines } from './lines.ts';
import type { Log } from './log.ts';
import type { RoomView, Store } from './store/store.ts';

/** How long a reader may take nothing. */
export const STALL_MS = 30_000;

/** How often each reader gets a sign of life, in milliseconds. */
export const PING_MS = 15_000;

/** Readers are spread over so many ticks of a second. */
const PING_SLOTS = PING_MS / 1000;

/** How soon a room is looked at again while another process writes to it. */
const UNSETTLED_MS = 2;

/** How soon a room is looked at again when its store failed. */
const FAILED_MS = 500;

/** How lines travel: frames are ready for the socket, made once for all readers of one format. */
export interface Format {
  /**
   * @param text complete lines
   * @param offset where they begin in the room
   * @param epoch the room's epoch
   */
  lines(text: Buffer, offset: number, epoch: string): Buffer;
  /** Says that the room begins anew; `undefined` where a format can't say that and has to end. */
  readonly reset: Buffer | undefined;
  /** Shows that the stream lives. */
  readonly ping: Buffer | undefined;
}

/** Where a reader's frames go. */
export interface Sink {
  /** @returns whether it takes more at once; if not, {@link Reader.resume} is called when it does */
  write(frame: Buffer): boolean;
  /** Ends the stream in good order. */
  end(): void;
  /** Cuts it off. */
  destroy(): void;
}

/** One live reader. */
export interface Reader {
  /** Takes more again. */
  resume(): void;
  /** Is gone; to be called once the stream is closed, for whatever reason. */
  leave(): void;
}

interface Place {
  readonly format: Format;
  readonly sink: Sink;
  offset: number;
  epoch: string;
  blockedMs: number | undefined;
}

interface Feed {
  readonly room: string;
  readonly places: Set<Place>;
  isPumping: boolean;
  isDirty: boolean;
}

/** The hub of all live readers of this process. */
export class Live {
  readonly #store: Store;
  readonly #log: Log;
  readonly #feeds = new Map<string, Feed>();
  readonly #slots = Array.from({ length: PING_SLOTS }, () => new Set<Place>());
  readonly #timer: NodeJS.Timeout;
  #stopWatch: (() => void) | undefined;
  #joined = 0;
  #ticks = 0;
  #isClosing = false;

  /** @param store where the rooms are; watched while there is a reader */
  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#timer = setInterval(() => this.#tick(), 1000).unref();
  }

  /** How many readers there are. */
  get readerCount(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.size, 0);
  }

  /** Says that a room may have changed. */
  poke(room: string): void {
    const feed = this.#feeds.get(room);
    if (feed !== undefined) void this.#pump(feed);
  }

  /**
   * Adds a reader; its first lines are on their way at once.
   *
   * @param offset where it starts, after a line of this epoch
   */
  join(room: string, offset: number, epoch: string, format: Format, sink: Sink): Reader {
    let feed = this.#feeds.get(room);
    if (feed === undefined) {
      feed = { room, places: new Set(), isPumping: false, isDirty: false };
      this.#feeds.set(room, feed);
    }
    const joined = feed;
    const place: Place = { format, sink, offset, epoch, blockedMs: undefined };
    const slot = this.#slots[this.#joined++ % PING_SLOTS]!;
    joined.places.add(place);
    slot.add(place);
    this.#stopWatch ??= this.#store.watch(
      () => this.#feeds.keys(),
      (changed) => this.poke(changed),
    );
    void this.#pump(joined);
    return {
      resume: () => {
        place.blockedMs = undefined;
        void this.#pump(joined);
      },
      leave: () => {
        slot.delete(place);
        joined.places.delete(place);
        if (joined.places.size === 0 && this.#feeds.get(room) === joined) this.#feeds.delete(room);
        if (this.#feeds.size === 0) this.#unwatch();
      },
    };
  }

  /** Ends every stream; one that joins from now on gets what there is and ends. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#timer);
    for (const feed of this.#feeds.values()) void this.#pump(feed);
  }

  #unwatch(): void {
    this.#stopWatch?.();
    this.#stopWatch = undefined;
  }

  async #pump(feed: Feed): Promise<void> {
    feed.isDirty = true;
    if (feed.isPumping) return;
    feed.isPumping = true;
    try {
      while (feed.isDirty) {
        feed.isDirty = false;
        await this.#catchUp(feed);
      }
    } catch (error) {
      this.#log.warn('live readers wait for their room', { room: feed.room, error });
      this.#pumpLater(feed, FAILED_MS);
    } finally {
      feed.isPumping = false;
    }
    if (this.#isClosing) for (const { sink } of feed.places) sink.end();
  }

  #pumpLater(feed: Feed, delayMs: number): void {
    setTimeout(() => feed.places.size > 0 && void this.#pump(feed), delayMs).unref();
  }

  async #catchUp(feed: Feed): Promise<void> {
    const view = await this.#store.view(feed.room);
    if (!view.isSettled) this.#pumpLater(feed, UNSETTLED_MS);
    for (const place of feed.places) {
      const isStale = place.offset > 0 && place.epoch !== view.epoch;
      if (isStale || place.offset > view.completeBytes) reset(place);
    }
    while (!feed.isDirty) {
      const groups = groupReady(feed.places, view);
      if (groups.size === 0) return;
      for (const [offset, places] of groups) await deliver(view, offset, places);
    }
  }

  #tick(): void {
    this.#ticks += 1;
    const nowMs = performance.now();
    for (const place of this.#slots[this.#ticks % PING_SLOTS]!) {
      if (place.blockedMs === undefined) {
        if (place.format.ping !== undefined) send(place, place.format.ping);
      } else if (nowMs - place.blockedMs > STALL_MS) {
        place.sink.destroy();
      }
    }
  }
}

/** The readers that can take more and have more to come, by the place where they stand. */
function groupReady(places: Iterable<Place>, view: RoomView): Map<number, Place[]> {
  const groups = new Map<number, Place[]>();
  for (const place of places) {
    if (place.blockedMs !== undefined || place.offset >= view.completeBytes) continue;
    const group = groups.get(place.offset);
    if (group === undefined) groups.set(place.offset, [place]);
    else group.push(place);
  }
  return groups;
}

async function deliver(view: RoomView, offset: number, places: readonly Place[]): Promise<void> {
  const lines = await readLines(view, offset);
  if (lines === undefined) {
    for (const place of places) reset(place);
    return;
  }
  const frames = new Map<Format, Buffer>();
  for (const place of places) {
    // It may have been reset or gone while the lines were read.
    if (place.offset !== offset || place.blockedMs !== undefined) continue;
    let frame = frames.get(place.format);
    if (frame === undefined) {
      frame = place.format.lines(lines.text, offset, view.epoch);
      frames.set(place.format, frame);
    }
    place.offset = lines.end;
    place.epoch = view.epoch;
    send(place, frame);
  }
}

function reset(place: Place): void {
  place.offset = 0;
  if (place.format.reset === undefined) place.sink.end();
  else send(place, place.format.reset);
}

function send(place: Place, frame: Buffer): void {
  if (!place.sink.write(frame)) place.blockedMs ??= performance.now();
}
