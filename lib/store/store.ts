/**
 * Where rooms live: the promises that every store keeps.
 *
 * 1. A room is an append-only text of lines; a place in it is a byte offset.
 * 2. `append` resolves when the line is durable, and from then on every `view` that begins, in any
 *    process on the same store, contains it.
 * 3. All readers see the same lines in the same order. What a reader was shown is never taken back
 *    by a crash or a failed write: only people with an editor can do that.
 * 4. Where `append` rejects, no part of the message is stored.
 */
import type { Entry } from '../room/message.ts';

/** What a sender gets for a stored message. */
export interface Receipt {
  /** The line as stored, with its LF. */
  readonly line: string;
  /** The cursor after the line. */
  readonly cursor: string;
}

/** A room as it stood at one moment. */
export interface RoomView {
  /** A strong entity tag with its quotes, the same in every process (RFC 9110 §8.8.3). */
  readonly etag: string;
  /** How many bytes a reader is shown. */
  readonly sizeBytes: number;
  /** The offset after the last complete line; at most `sizeBytes`. */
  readonly completeBytes: number;
  /** The room's epoch, 8 hex digits. */
  readonly epoch: string;
  /** Whether nobody writes just now; if not, there may be more in a moment. */
  readonly isSettled: boolean;
  /** The last bytes of the text, as many as are at hand: all of it, where it is small. */
  readonly tail: Buffer;
  /**
   * Reads a part of the text in bounded memory. A chunk is good until the next one is asked for.
   *
   * @param from first byte
   * @param to the byte after the last
   * @throws ServiceError `unavailable` when the text was cut or replaced meanwhile
   */
  read(from: number, to: number): AsyncIterable<Buffer>;
}

/** What is told of a receipt that is not sure yet. */
export type OnExpected = (expected: Receipt) => void;

/** A place that keeps rooms. */
export interface Store {
  /** Where it is, for the start line; never with a password. */
  readonly description: string;
  /**
   * Stores one message.
   *
   * @param onExpected told, by a store that knows it before the disk does, which receipt this will most
   *   likely be: a moment to make the answer ready, but not to give it. Where that comes true, the very
   *   same receipt is returned.
   * @throws ServiceError `unavailable` or `busy` when the store can't take it now
   */
  append(room: string, entry: Entry, onExpected?: OnExpected): Promise<Receipt>;
  /** Gives the room's entity tag without reading its text. */
  etag(room: string): string | Promise<string>;
  /** Gives the room as it stands now. A room without messages is an empty one. */
  view(room: string): RoomView | Promise<RoomView>;
  /**
   * Calls back when a room may have changed by another process or an editor, until stopped. It may
   * call too often, and for rooms that nobody asked for, but it forgets no change for longer than a
   * second.
   *
   * @param rooms the rooms that somebody reads now
   * @param onChange takes a room's name
   * @returns stops watching
   */
  watch(rooms: () => Iterable<string>, onChange: (room: string) => void): () => void;
  /** Resolves after a real write to the store; rejects with the reason where it can't take one. */
  check(): Promise<void>;
  /** Resolves when everything that was accepted is stored or refused. */
  close(): Promise<void>;
}
