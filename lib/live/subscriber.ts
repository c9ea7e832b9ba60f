/** A live reader's place in a room: what it was sent, and whether it takes more. */
import { type LineSource, readLines } from '../room/line-reader.ts';

/** How often in a row a reader may be found taking nothing when its ping is due. */
export const MAX_MISSED_PINGS = 2;

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
  /** @returns whether nothing of it waits; if some does, the reader is to be told when it has gone */
  write(frame: Buffer): boolean;
  /** Ends the stream in good order. */
  end(): void;
  /** Cuts it off. */
  destroy(): void;
}

/** A place that moves on with what is sent. */
export class Subscriber {
  readonly format: Format;
  readonly #sink: Sink;
  #offset: number;
  #epoch: string;
  #isBlocked = false;
  #isOver = false;
  #missedPings = 0;

  /**
   * @param offset where it starts, after a line of this epoch
   * @param epoch the room's epoch
   */
  constructor(offset: number, epoch: string, format: Format, sink: Sink) {
    this.#offset = offset;
    this.#epoch = epoch;
    this.format = format;
    this.#sink = sink;
  }

  /** The offset after the last line that was sent. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether its socket is full. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Whether it takes lines now. */
  get isReady(): boolean {
    return !this.#isBlocked && !this.#isOver;
  }

  /** Whether a room of this epoch and length can't have brought the reader here. */
  isStale(epoch: string, completeBytes: number): boolean {
    return this.#offset > 0 && (this.#epoch !== epoch || this.#offset > completeBytes);
  }

  /** Sends lines that begin where the reader stands. */
  send(frame: Buffer, end: number, epoch: string): void {
    this.#offset = end;
    this.#epoch = epoch;
    this.#write(frame);
  }

  /** Goes back to the room's beginning. */
  reset(): void {
    this.#offset = 0;
    if (this.format.reset === undefined) this.end();
    else this.#write(this.format.reset);
  }

  /** Sends a sign of life, or cuts off a reader that has taken nothing for too long. */
  ping(): void {
    if (!this.#isBlocked) {
      if (this.format.ping !== undefined) this.#write(this.format.ping);
      return;
    }
    this.#missedPings += 1;
    // One whose end was written counts too: its socket would wait for good.
    if (this.#missedPings !== MAX_MISSED_PINGS + 1) return;
    this.leave();
    this.#sink.destroy();
  }

  /** Takes more again. */
  resume(): void {
    this.#isBlocked = false;
    this.#missedPings = 0;
  }

  /** Ends the stream, after what was sent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.end();
  }

  /** Nothing is sent from now on: what came after the stream's end would spoil its connection. */
  leave(): void {
    this.#isOver = true;
  }

  #write(frame: Buffer): void {
    if (this.#isOver) return;
    if (!this.#sink.write(frame)) this.#isBlocked = true;
  }
}

/** The readers that take lines and have some to come, by the offset where they stand. */
export function groupByOffset(
  places: readonly Subscriber[],
  completeBytes: number,
): Map<number, Subscriber[]> {
  const groups = new Map<number, Subscriber[]>();
  for (const place of places) {
    if (!place.isReady || place.offset >= completeBytes) continue;
    const group = groups.get(place.offset);
    if (group === undefined) groups.set(place.offset, [place]);
    else group.push(place);
  }
  return groups;
}

/**
 * Reads the next lines once and sends them to all readers who stand before them; where that is not
 * the start of a line, the readers go back to the room's beginning.
 *
 * @param view the room with its epoch
 * @param offset where the readers stand; below `view.completeBytes`
 * @throws what the view's `read` throws, with nothing sent
 */
export async function deliver(
  view: LineSource & { readonly epoch: string },
  offset: number,
  group: readonly Subscriber[],
): Promise<void> {
  const lines = await readLines(view, offset);
  const frames = new Map<Format, Buffer>();
  for (const place of group) {
    if (lines === undefined) {
      place.reset();
      continue;
    }
    let frame = frames.get(place.format);
    if (frame === undefined) {
      // Counted from the end: a note in a long line's stead is shorter than the line.
      const start = lines.end - lines.text.length;
      frame = place.format.lines(lines.text, start, view.epoch);
      frames.set(place.format, frame);
    }
    place.send(frame, lines.end, view.epoch);
  }
}
