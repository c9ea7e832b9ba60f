/** One live reader: its offset in the room, and whether its socket takes more. */
import type { Cursor } from '../room/cursor.ts';

/** How many pings in a row a subscriber may miss; at the next one it is cut off. */
export const MAX_MISSED_PINGS = 2;

/** How lines travel. A frame is made once for all subscribers of one format. */
export interface Format {
  /** Frames complete lines that begin at this offset of the room. */
  frameLines(text: Buffer, offset: number, epoch: string): Buffer;
  /** Says that the room begins anew. A stream whose format can't say it ends instead. */
  readonly reset: Buffer | undefined;
  /** A sign of life; `undefined` if the format has none. */
  readonly ping: Buffer | undefined;
}

/** Where a subscriber's frames go. */
export interface Sink {
  /** @returns false if part of the frame waits; `Subscription.resume` is to be called when it is gone */
  write(frame: Buffer): boolean;
  /** Ends the stream after what was written. */
  end(): void;
  /** Cuts the connection. */
  destroy(): void;
}

/** A live reader of one room. */
export class Subscriber {
  readonly format: Format;
  /** Whether the service was already about to end its streams. */
  readonly joinedDuringDrain: boolean;
  readonly #sink: Sink;
  #cursor: Cursor;
  #isBlocked = false;
  #isOver = false;
  #missedPings = 0;

  constructor(start: Cursor, format: Format, sink: Sink, joinedDuringDrain: boolean) {
    this.#cursor = start;
    this.format = format;
    this.#sink = sink;
    this.joinedDuringDrain = joinedDuringDrain;
  }

  /** The offset after the last line that was sent. */
  get offset(): number {
    return this.#cursor.offset;
  }

  /** Whether part of what was sent still waits in the socket. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Whether lines can be sent now. */
  get isReady(): boolean {
    return !this.#isBlocked && !this.#isOver;
  }

  /** Whether its cursor can't be one of a room with this epoch and this many complete bytes. */
  isOutdated(epoch: string, completeBytes: number): boolean {
    const { offset } = this.#cursor;
    return offset > 0 && (this.#cursor.epoch !== epoch || offset > completeBytes);
  }

  /** Sends the next lines, which end at this cursor. */
  send(frame: Buffer, end: Cursor): void {
    this.#cursor = end;
    this.#write(frame);
  }

  /** Goes back to the room's beginning. */
  reset(): void {
    this.#cursor = { ...this.#cursor, offset: 0 };
    if (this.format.reset === undefined) this.end();
    else this.#write(this.format.reset);
  }

  /**
   * Sends a ping. A subscriber whose socket was full at {@link MAX_MISSED_PINGS} pings in a row is
   * cut off instead, also if its stream has ended: its socket would wait for ever.
   */
  pingOrCutOff(): void {
    if (!this.#isBlocked) {
      if (this.format.ping !== undefined) this.#write(this.format.ping);
      return;
    }
    this.#missedPings += 1;
    if (this.#missedPings <= MAX_MISSED_PINGS) return;
    this.stop();
    this.#sink.destroy();
  }

  /** The socket takes frames again. */
  resume(): void {
    this.#isBlocked = false;
    this.#missedPings = 0;
  }

  /** Ends the stream after what was sent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.end();
  }

  /** Sends nothing more. The stream is over, and its connection may carry another answer. */
  stop(): void {
    this.#isOver = true;
  }

  #write(frame: Buffer): void {
    if (this.#isOver) return;
    if (!this.#sink.write(frame)) this.#isBlocked = true;
  }
}
