/** Delivers the new lines of one room to its subscribers. */
import type { Log } from '../ops/log.ts';
import { hasLine, type LineMark, markLastLine, readLines } from '../room/line-reader.ts';
import type { Snapshot, Store } from '../store/store.ts';
import type { Format, Subscriber } from './subscriber.ts';

/** The shortest and the longest delay between two tries; it doubles from one try to the next. */
type Delays = readonly [shortestMs: number, longestMs: number];

/** While a write is in progress: its end is not always reported, so poll. */
const WRITING_DELAYS: Delays = [2, 16];

/** While the store fails. */
const FAILURE_DELAYS: Delays = [20, 1000];

/** The subscribers of one room. */
export class RoomFeed {
  readonly subscribers = new Set<Subscriber>();
  readonly #room: string;
  readonly #store: Store;
  readonly #log: Log;
  #isNotified = false;
  #isDelivering = false;
  #isFailing = false;
  #isClosing = false;
  #delayMs = 0;
  #etag = '';
  /** The last line of the last snapshot. */
  #lastLine: LineMark | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(room: string, store: Store, log: Log) {
    this.#room = room;
    this.#store = store;
    this.#log = log;
  }

  /**
   * Delivers what is new: the room may have changed, or a blocked subscriber can take frames again.
   */
  notify(): void {
    this.#delayMs = 0;
    void this.#deliverUntilQuiet();
  }

  /** Delivers what is new, then ends every stream, also those that join later. */
  close(): void {
    this.#isClosing = true;
    this.notify();
  }

  /**
   * Delivers again until no notice arrived during the last delivery. Only one run is under way at
   * any time.
   */
  async #deliverUntilQuiet(): Promise<void> {
    this.#isNotified = true;
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      while (this.#isNotified && this.subscribers.size > 0) {
        this.#isNotified = false;
        await this.#deliver();
      }
      this.#isFailing = false;
    } catch (error) {
      // Logged once per outage, however often the store is tried.
      const fields = { room: this.#room, error };
      if (!this.#isFailing) this.#log.warn('live streams wait: their room cannot be read', fields);
      this.#isFailing = true;
      this.#deliverLater(FAILURE_DELAYS);
    } finally {
      this.#isDelivering = false;
    }
    if (this.#isClosing) this.#endStreams();
  }

  #deliverLater([shortestMs, longestMs]: Delays): void {
    this.#delayMs = Math.min(longestMs, Math.max(shortestMs, this.#delayMs * 2));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#deliverUntilQuiet(), this.#delayMs).unref();
  }

  async #deliver(): Promise<void> {
    // A subscriber that joins during the snapshot may know a later state than the snapshot has. It
    // takes part in the next delivery.
    const subscribers = [...this.subscribers];
    const snapshot = await this.#store.snapshot(this.#room);
    if (snapshot.isSettled) this.#delayMs = 0;
    else this.#deliverLater(WRITING_DELAYS);
    const isEdited = await this.#isEdited(snapshot);
    for (const subscriber of subscribers) {
      const isOutdated = subscriber.isOutdated(snapshot.epoch, snapshot.completeBytes);
      if (isOutdated || (isEdited && subscriber.offset > 0)) subscriber.reset();
    }
    // Send from this snapshot at least once, so that a constant flow of notices cannot starve
    // anyone.
    do {
      const groups = groupByOffset(subscribers, snapshot.completeBytes);
      if (groups.size === 0) return;
      for (const [offset, group] of groups) await sendLines(snapshot, offset, group);
    } while (!this.#isNotified);
  }

  /**
   * Tells whether somebody changed what was sent: the room may have been cut, and have grown again
   * before anybody noticed. Reads from disk only if the last known line is no longer in the
   * tail in memory.
   */
  async #isEdited(snapshot: Snapshot): Promise<boolean> {
    const mark = this.#lastLine;
    if (mark?.end === snapshot.completeBytes && snapshot.etag === this.#etag) return false;
    const isEdited = mark !== undefined && !(await hasLine(snapshot, mark));
    this.#lastLine = markLastLine(snapshot);
    this.#etag = snapshot.etag;
    return isEdited;
  }

  #endStreams(): void {
    for (const subscriber of this.subscribers) {
      // End all streams, except a blocked one that joined during the drain: it has not been served
      // yet.
      if (!subscriber.isBlocked || !subscriber.joinedDuringDrain) subscriber.end();
    }
  }
}

/** Groups the subscribers that can be sent a line, by their offsets. */
function groupByOffset(
  subscribers: readonly Subscriber[],
  completeBytes: number,
): Map<number, Subscriber[]> {
  const groups = new Map<number, Subscriber[]>();
  for (const subscriber of subscribers) {
    if (!subscriber.isReady || subscriber.offset >= completeBytes) continue;
    const group = groups.get(subscriber.offset);
    if (group === undefined) groups.set(subscriber.offset, [subscriber]);
    else group.push(subscriber);
  }
  return groups;
}

/** Reads the next lines once and sends them to all subscribers at this offset. */
async function sendLines(
  snapshot: Snapshot,
  offset: number,
  group: readonly Subscriber[],
): Promise<void> {
  const lines = await readLines(snapshot, offset);
  if (lines === undefined) {
    // No line begins at the offset any more: somebody edited the room.
    for (const subscriber of group) subscriber.reset();
    return;
  }
  const { epoch } = snapshot;
  const end = { epoch, offset: lines.end };
  // Computed from the end: a line that is too long is replaced by a shorter note.
  const start = lines.end - lines.text.length;
  const frames = new Map<Format, Buffer>();
  for (const subscriber of group) {
    const { format } = subscriber;
    const frame = frames.get(format) ?? format.frameLines(lines.text, start, epoch);
    frames.set(format, frame);
    subscriber.send(frame, end);
  }
}
